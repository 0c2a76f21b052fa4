# SPDX-License-Identifier: GPL-2.0-or-later
"""The loop around the engine: sockets, timers, signals.

Everything that is served in this process registers with :attr:`Service.selector`, the callable to
call as ``data``; afterwards the loop sends what the engine has to send. The control interface joins
here, next to the event service.
"""

import contextlib
import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Any, Protocol, Self

from ike.address import Endpoint
from ike.config.model import Connection
from ike.daemon.udp import UdpSocket
from ike.engine.engine import Ike
from ike.engine.events import Event
from tkm.rpc.log_limit import Limiter
from tkm.rpc.server import describe_fault

log = logging.getLogger("ike")

_DELETE_TIMEOUT = 1.0
"""Seconds in which peers may confirm, at the end, that their IKE SAs are deleted."""


class Timed(Protocol):
    """An object that has something to do at certain times."""

    def next_timer(self) -> float | None:
        """Return when; ``None``: not before something else happens."""

    def handle_timer(self, now: float) -> None:
        """Do what is due."""


class Service:
    """Runs an engine on sockets, until a signal comes.

    Args:
        hosts: Our addresses.
        limiter: Limits log lines.

    Attributes:
        listeners: Called with each event.
        timers: The engine, and others.
        on_hangup: Called, in the loop, after SIGHUP.

    Raises:
        ConfigError: An address is not ours, or its port is taken.
    """

    def __init__(self, engine: Ike, hosts: Iterable[str], limiter: Limiter | None = None) -> None:
        self.limiter = limiter or Limiter()
        self.engine = engine
        self.selector = selectors.DefaultSelector()
        self.listeners: list[Callable[[Event], None]] = []
        self.timers: list[Timed] = [engine, self.limiter]
        self._stopping_until: float | None = None
        self._signals = 0
        self._hangups = 0
        self.on_hangup: Callable[[], object] = lambda: None
        self._handlers: dict[int, Any] = {}
        self._sockets: dict[Endpoint, UdpSocket] = {}
        self._wakeup, self._waker = socket.socketpair()
        for host in hosts:
            self.listen(host)

    def listen(self, host: str) -> None:
        """Receive at one of our addresses, on both ports; doing so again is not an error.

        Raises:
            ConfigError: It is not ours, or a port is taken.
        """
        ports = self.engine.context.ports
        self._listen(Endpoint(host, ports.ike), takes_esp=False)
        self._listen(Endpoint(host, ports.nat), takes_esp=True)

    def _listen(self, endpoint: Endpoint, *, takes_esp: bool) -> None:
        if endpoint not in self._sockets:
            self._sockets[endpoint] = udp = UdpSocket(endpoint, takes_esp=takes_esp)
            self.selector.register(udp, selectors.EVENT_READ, lambda: self._receive(udp))

    def start(self, connection: Connection) -> None:
        """Set up the Child SAs of a connection that are to be there at once."""
        for child in connection.children:
            if "start" in child.start_action.split("|"):
                self.engine.initiate(child.reqid, time.monotonic())

    def __enter__(self) -> Self:
        for end in (self._wakeup, self._waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._on_signal)
        self._handlers[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._on_hangup)
        self.selector.register(self._wakeup, selectors.EVENT_READ, lambda: self._wakeup.recv(4096))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        for udp in self._sockets.values():
            udp.close()
        self.selector.close()
        self._wakeup.close()
        self._waker.close()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        self._hangups += 1

    def _receive(self, udp: UdpSocket) -> None:
        received = udp.receive()
        if received:
            octets, remote = received
            path = f"from {remote} to {udp.local}"
            log.info("received packet: %s (%d bytes)", path, len(octets))
            self.engine.receive_datagram(octets, udp.local, remote, time.monotonic())

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; then delete all IKE SAs, and wait for peers shortly."""
        self.flush()
        while not self._is_over():
            for key, _events in self.selector.select(self._timeout()):
                self._guarded(key.data)
            now = time.monotonic()
            for timed in self.timers:
                self._guarded(partial(timed.handle_timer, now))
            if self._hangups:
                self._hangups = 0
                self._guarded(self.on_hangup)
            if self._signals and self._stopping_until is None:
                log.info("shutting down")
                self._stopping_until = now + _DELETE_TIMEOUT
                self.engine.terminate("shutting down", now)
            self.flush()
        self.engine.close("shutting down", time.monotonic())

    def _is_over(self) -> bool:
        if self._stopping_until is None:
            return False
        over = time.monotonic() >= self._stopping_until or self._signals > 1
        return over or self.engine.is_idle

    def _timeout(self) -> float | None:
        """Seconds until something is due."""
        times = (self._stopping_until, *(timed.next_timer() for timed in self.timers))
        due = min((moment for moment in times if moment is not None), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def flush(self) -> None:
        """Send what the engine has to send, and report its events."""
        for datagram in self.engine.datagrams_to_send():
            self._sockets[datagram.local].send(datagram)
        for event in self.engine.take_events():
            for listener in self.listeners:
                self._guarded(partial(listener, event))

    def _guarded(self, work: Callable[[], object]) -> None:
        """Call something; an unexpected exception closes the IKE SA concerned, not the daemon."""
        try:
            work()
        except Exception as error:
            log.error("internal error: %s", describe_fault(error))
            with contextlib.suppress(Exception):  # one line is enough
                self.engine.abandon("internal error", time.monotonic())
