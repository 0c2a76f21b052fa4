# SPDX-License-Identifier: GPL-2.0-or-later
"""The keeper's relay: front ends' connections on one side, the stream to the agent on the other.

Each connection is a channel of the stream. Octets are passed on as they are; credit decides when a
connection is read, and a connection's progress decides when credit is given.
"""

from __future__ import annotations

import contextlib
import functools
import selectors
import socket
from collections.abc import Callable

from lab.protocol.mux import Frame, Kind, Mux

_READ = selectors.EVENT_READ
_WRITE = selectors.EVENT_WRITE


class _Connection:
    def __init__(self, channel: int, sock: socket.socket) -> None:
        self.channel = channel
        self.socket = sock
        self.output = bytearray()
        self.greeting = 0
        """Octets at the head of `output` that are ours: the agent gets no credit for them."""
        self.closing = False
        self.events = 0


class Relay:
    """Relays until the stream ends. Registers callables that take the events' mask."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        stream: socket.socket,
        window: int,
        agent_says: Callable[[bytes], None],
    ) -> None:
        self._selector = selector
        self._stream = stream
        self._agent_says = agent_says
        self._mux = Mux(window)
        self._connections: dict[int, _Connection] = {}
        self._next = 1
        stream.setblocking(False)
        selector.register(stream, _READ, self._stream_moves)

    def connect(self, sock: socket.socket, greeting: bytes) -> None:
        """Take over a front end's connection; it gets `greeting` first."""
        sock.setblocking(False)
        channel, self._next = self._next, self._next % 0xFFFF + 1
        connection = _Connection(channel, sock)
        connection.output += greeting
        connection.greeting = len(greeting)
        self._connections[channel] = connection
        self._mux.open(channel)
        self._update(connection)
        self._flush()

    def _moves(self, connection: _Connection, events: int) -> None:
        try:
            if events & _WRITE:
                self._write(connection)
            if events & _READ and not connection.closing:
                self._read(connection)
        except OSError:
            self._hang_up(connection)
        self._flush()

    def _read(self, connection: _Connection) -> None:
        octets = connection.socket.recv(65536)
        if octets:
            self._mux.send(connection.channel, octets)
            self._update(connection)
        else:
            self._hang_up(connection)

    def _write(self, connection: _Connection) -> None:
        sent = connection.socket.send(connection.output)
        del connection.output[:sent]
        ours = min(sent, connection.greeting)
        connection.greeting -= ours
        if sent > ours:
            self._mux.taken(connection.channel, sent - ours)
        self._update(connection)

    def _hang_up(self, connection: _Connection) -> None:
        if self._forget(connection):
            self._mux.close(connection.channel)

    def _forget(self, connection: _Connection) -> bool:
        known = self._connections.pop(connection.channel, None) is not None
        if known:
            self._watch(connection, 0)
            connection.socket.close()
        return known

    def _update(self, connection: _Connection) -> None:
        """Watch a connection for what it can do now."""
        if connection.closing and not connection.output:
            self._forget(connection)
            return
        events = _WRITE if connection.output else 0
        if not connection.closing and not self._mux.queued(connection.channel):
            events |= _READ
        self._watch(connection, events)

    def _watch(self, connection: _Connection, events: int) -> None:
        if events == connection.events:
            return
        if connection.events:
            self._selector.unregister(connection.socket)
        if events:
            action = functools.partial(self._moves, connection)
            self._selector.register(connection.socket, events, action)
        connection.events = events

    def _stream_moves(self, events: int) -> None:
        octets = b""
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            if events & _READ:
                octets = self._stream.recv(65536)
        for frame in self._mux.receive(octets):
            self._frame(frame)
        for connection in [c for c in self._connections.values() if not c.closing]:
            self._update(connection)
        self._flush()

    def _frame(self, frame: Frame) -> None:
        if frame.channel == 0:
            self._mux.taken(0, len(frame.octets))
            self._agent_says(frame.octets)
        elif connection := self._connections.get(frame.channel):
            if frame.kind is Kind.DATA:
                connection.output += frame.octets
            elif frame.kind is Kind.CLOSE:
                connection.closing = True
            self._update(connection)

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._mux.output:
                sent = self._stream.send(self._mux.output)
                del self._mux.output[:sent]
        events = _READ | _WRITE if self._mux.output else _READ
        self._selector.modify(self._stream, events, self._stream_moves)
