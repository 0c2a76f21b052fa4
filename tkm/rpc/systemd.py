# SPDX-License-Identifier: GPL-2.0-or-later
"""Report to the service manager how we are: sd_notify(3), one datagram for each change of state.

Used by all daemons. Without ``NOTIFY_SOCKET`` in the environment nothing is sent.
"""

import logging
import os
import socket
import time
from functools import cache

log = logging.getLogger(__name__)


def connect() -> None:
    """Connect to the socket that ``NOTIFY_SOCKET`` names, while this process still may."""
    _channel(os.environ.get("NOTIFY_SOCKET", ""))


def notify(state: str) -> None:
    """Send a state such as ``READY=1``."""
    if channel := _channel(os.environ.get("NOTIFY_SOCKET", "")):
        try:
            channel.send(state.encode())
        except OSError as error:
            _complain(error)


@cache
def _channel(address: str) -> socket.socket | None:
    """A connected socket, for as long as the process lives; ``None``: there is no manager."""
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
    log.warning("The service manager cannot be notified: %s", error.strerror)


class Watchdog:
    """Signs of life, twice in each ``WATCHDOG_USEC`` (sd_watchdog_enabled(3)).

    They come from the loop that serves: one that hangs sends none, and the manager restarts it.
    """

    def __init__(self) -> None:
        ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval = int(os.environ.get("WATCHDOG_USEC", "0")) / 2e6 if ours else 0.0
        self._due = time.monotonic()

    def next_timer(self) -> float | None:
        """When the next sign of life is due; ``None``: nobody waits for one."""
        return self._due if self._interval else None

    def handle_timer(self, now: float) -> None:
        """Send it, if it is due."""
        if self._interval and now >= self._due:
            notify("WATCHDOG=1")
            self._due = now + self._interval
