# SPDX-License-Identifier: GPL-2.0-or-later
"""Tell the service manager how we are (sd_notify): one datagram, if somebody wants it."""

import logging
import os
import socket
from functools import cache

log = logging.getLogger(__name__)


def connect() -> None:
    """Connect to the socket that ``NOTIFY_SOCKET`` names, while this process still may."""
    _channel(os.environ.get("NOTIFY_SOCKET", ""))


def tell(state: str) -> None:
    """Send a state such as ``READY=1``."""
    if channel := _channel(os.environ.get("NOTIFY_SOCKET", "")):
        try:
            channel.send(state.encode())
        except OSError as error:
            _complain(error)


@cache
def _channel(address: str) -> socket.socket | None:
    """A connected socket, for as long as the process lives; ``None``: nobody listens."""
    if not address:
        return None
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        channel.connect(address)
    except OSError as error:
        _complain(error)
        channel.close()
        return None
    return channel


def _complain(error: OSError) -> None:
    log.warning("The service manager does not hear us: %s", error.strerror)
