# SPDX-License-Identifier: GPL-2.0-or-later
"""Tell the service manager how we are (sd_notify): one datagram, if somebody wants it."""

import logging
import os
import socket

log = logging.getLogger(__name__)


def tell(state: str) -> None:
    """Send a state such as ``READY=1`` to the socket that ``NOTIFY_SOCKET`` names."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), address)
        except OSError as error:
            log.warning("The service manager does not hear us: %s", error.strerror)
