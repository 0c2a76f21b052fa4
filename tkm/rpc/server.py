# SPDX-License-Identifier: GPL-2.0-or-later
"""The answering side of tkm-rpc.

:class:`Dispatcher` turns one request into one response and never raises for what a client sends.
:class:`Connection` holds one client's octets, in and out, and knows no socket.
:class:`Server` is the edge: it listens, and serves any number of clients side by side, each as fast
as it reads its answers. It runs in somebody's selector loop, whose keys' ``data`` are called.
"""

import logging
import selectors
import socket
from collections.abc import Callable, Mapping
from typing import Any

from tkm.rpc.interface import Header, Interface, Request
from tkm.rpc.listener import Listener, Peer
from tkm.rpc.record import Record
from tkm.rpc.result import FieldError, Result

log = logging.getLogger(__name__)

Handlers = Mapping[type[Request[Any]], Callable[[Any], Record]]


class HandlerError(Exception):
    """A handler refuses a request; it has changed nothing."""

    result: Result = Result.ABORTED


class Dispatcher:
    """Decodes requests, calls the handler of each operation, encodes what comes of it."""

    def __init__(self, interface: Interface, handlers: Handlers) -> None:
        missing = [operation.operation for operation in interface if operation not in handlers]
        if missing:
            raise TypeError(f"no handler for {', '.join(missing)}")
        self.interface = interface
        self.framing = interface.framing()
        self._handlers = handlers

    def __call__(self, header: Header, body: bytes | None) -> bytes:
        """The response to a request; a ``body`` of ``None`` is one that was too long.

        Each error echoes the operation and carries no body.
        """
        result, reply = self._answer(header, body)
        return self.framing.response(Header(header.operation, header.request_id, result), reply)

    def _answer(self, header: Header, body: bytes | None) -> tuple[Result, bytes]:
        operation = self.interface.operations.get(header.operation)
        if operation is None:
            log.warning("Operation %#06x is unknown", header.operation)
            return Result.INVALID_OPERATION, b""
        if body is None:
            log.warning("%s refused: broken frame", operation.operation)
            return Result.INVALID_PARAMETER, b""
        try:
            request = operation.decode(body, padded=self.framing.padded)
            return Result.OK, self._handlers[operation](request).encode()
        except (FieldError, HandlerError) as error:
            log.warning("%s refused: %s", operation.operation, error)
            return self.interface.results.get(error.result, error.result), b""


class Connection:
    """One client: octets in, octets out, one request after the other.

    :ivar to_send: responses that have not gone out yet.
    :ivar busy: it waits until it can send, instead of reading; for who serves it.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._framing = dispatcher.interface.framing()
        self._received = bytearray()
        self._next: tuple[Header, bytes | None] | None = None
        self.to_send = bytearray()
        self.busy = False

    @property
    def waiting(self) -> bool:
        """A whole request waits for its answer."""
        return self._next is not None

    def feed(self, octets: bytes) -> None:
        """Take what has arrived, and answer the first request that is whole."""
        self._received += octets
        if not self._next:
            self._cut()
        self.answer()

    def answer(self) -> None:
        """Answer the next request, if one is waiting."""
        if self._next:
            self.to_send += self._dispatcher(*self._next)
            self._cut()

    def _cut(self) -> None:
        cut = self._framing.cut
        self._next = cut(self._received, responses=False) if self._received else None


class Server:
    """Serves an interface on a Unix socket.

    :param allowed: says who may connect, by the kernel's word (SO_PEERCRED); everybody by default.
    """

    def __init__(
        self,
        path: str,
        dispatcher: Dispatcher,
        selector: selectors.BaseSelector,
        *,
        mode: int = 0o600,
        allowed: Peer | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._selector = selector
        self._listener = Listener(path, mode, allowed)
        self._clients: dict[socket.socket, Connection] = {}
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        client = self._listener.accept()
        if client is not None:
            self._clients[client] = Connection(self._dispatcher)
            self._selector.register(client, selectors.EVENT_READ, lambda: self._serve(client))

    def _serve(self, client: socket.socket) -> None:
        connection = self._clients[client]
        try:
            if connection.to_send:
                pass
            elif connection.waiting:
                connection.answer()
            else:
                octets = client.recv(65536)
                if not octets:
                    self._hang_up(client)
                    return
                connection.feed(octets)
            if connection.to_send:
                del connection.to_send[: client.send(connection.to_send)]
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up(client)
            return
        # A client that does not read its answers is not read from either; and of many requests at
        # once, one is answered a turn, so that nobody else is kept waiting.
        busy = bool(connection.to_send) or connection.waiting
        if busy is not connection.busy:
            connection.busy = busy
            event = selectors.EVENT_WRITE if busy else selectors.EVENT_READ
            self._selector.modify(client, event, lambda: self._serve(client))

    def _hang_up(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._clients[client]
        client.close()

    def close(self) -> None:
        """Hang up on everybody and take the socket's name away, unless somebody took it over."""
        for client in list(self._clients):
            self._hang_up(client)
        self._selector.unregister(self._listener)
        self._listener.close()
