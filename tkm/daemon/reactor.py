# SPDX-License-Identifier: GPL-2.0-or-later
"""The loop of a daemon: call what is ready, until SIGTERM or SIGINT."""

import selectors
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

from tkm.rpc.systemd import Watchdog


class Reactor:
    """A selector whose keys' ``data`` are called; as a context manager it minds the signals.

    :param on_hangup: called, in the loop, after SIGHUP.
    :param on_question: called, in the loop, after SIGUSR1.
    """

    def __init__(
        self, on_hangup: Callable[[], None], on_question: Callable[[], None] = lambda: None
    ) -> None:
        self._actions: dict[int, Callable[[], None]] = {
            signal.SIGHUP: on_hangup,
            signal.SIGUSR1: on_question,
        }
        self._signals: list[int] = []
        self.selector = selectors.DefaultSelector()
        self._running = True
        self._wakeup, self._waker = socket.socketpair()

    def __enter__(self) -> Self:
        for end in (self._wakeup, self._waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for noted in self._actions:
            signal.signal(noted, self._note)
        self.selector.register(self._wakeup, selectors.EVENT_READ, lambda: self._wakeup.recv(4096))
        return self

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._running = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def run(self, patience: Callable[[], float | None] = lambda: None) -> None:
        """Serve until a signal says stop, with signs of life for the service manager.

        :param patience: called before each wait; says how many seconds that may last.
        """
        watchdog = Watchdog()
        while self._running:
            now = time.monotonic()
            watchdog.handle_timer(now)
            due = watchdog.next_timer()
            waits = (patience(), None if due is None else due - now)
            wait = min((each for each in waits if each is not None), default=None)
            for key, _events in self.selector.select(wait):
                key.data()
            while self._signals:
                self._actions[self._signals.pop(0)]()

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self.selector.close()
        self._wakeup.close()
        self._waker.close()
