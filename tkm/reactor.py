# SPDX-License-Identifier: GPL-2.0-or-later
"""The loop of a daemon: call what is ready, until SIGTERM or SIGINT."""

import selectors
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Self


class Reactor:
    """A selector whose keys' ``data`` are called; as a context manager it minds the signals.

    :param on_hangup: called, in the loop, after SIGHUP.
    """

    def __init__(self, on_hangup: Callable[[], None]) -> None:
        self._on_hangup = on_hangup
        self._hung_up = False
        self.selector = selectors.DefaultSelector()
        self._running = True
        self._wakeup, self._waker = socket.socketpair()

    def __enter__(self) -> Self:
        for end in (self._wakeup, self._waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        self.selector.register(self._wakeup, selectors.EVENT_READ, lambda: self._wakeup.recv(4096))
        return self

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._running = False

    def _hang_up(self, _number: int, _frame: FrameType | None) -> None:
        self._hung_up = True

    def run(self) -> None:
        """Serve until a signal says stop."""
        while self._running:
            for key, _events in self.selector.select():
                key.data()
            if self._hung_up:
                self._hung_up = False
                self._on_hangup()

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self.selector.close()
        self._wakeup.close()
        self._waker.close()
