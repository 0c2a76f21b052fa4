# SPDX-License-Identifier: GPL-2.0-or-later
"""The answering side of tkm-rpc.

:class:`Dispatcher` turns one request into one response and never raises for what a client sends.
:class:`Connection` holds one client's octets, in and out, and knows no socket.
:class:`ClientSocket` does, and serves the client as fast as it reads its answers. :class:`Server`
listens, and has any number of them side by side. Both run in somebody's selector loop, whose keys'
``data`` are called.
"""

import logging
import selectors
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import PurePath
from typing import Any, Final

from tkm.rpc.interface import Header, Interface, Request
from tkm.rpc.listener import Listener, Peer, credentials
from tkm.rpc.record import Record
from tkm.rpc.result import FieldError, HandlerError, Result
from tkm.rpc.wipe import wipe

log = logging.getLogger(__name__)

_AT_ONCE = 16384
"""Octets read in one turn: nearly every request; a longer one takes several."""

MOST_CLIENTS_OF_A_USER: Final = 32
MOST_CLIENTS: Final = 128
"""Each holds at most one frame, one read and one answer, so this bounds the memory of all."""

Handlers = Mapping[type[Request[Any]], Callable[[Any], Record]]


class Dispatcher:
    """Decodes requests, calls the handler of each operation, encodes what comes of it.

    :param all_or_nothing: a block in which a handler is called and its reply encoded; if it is left
        by an exception, what the handler has done is undone.
    """

    def __init__(
        self,
        interface: Interface,
        handlers: Handlers,
        all_or_nothing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        missing = [operation.operation for operation in interface if operation not in handlers]
        if missing:
            raise TypeError(f"no handler for {', '.join(missing)}")
        self.interface = interface
        self.framing = interface.framing()
        self._handlers = handlers
        self._all_or_nothing = all_or_nothing

    def __call__(self, header: Header, body: memoryview | None) -> bytearray:
        """The response to a request; a ``body`` of ``None`` is one that was too long.

        Each error echoes the operation and carries no body. Secrets of the request are in ``body``
        alone, and those of the reply in the response alone: the caller wipes both.
        """
        operation = self.interface.operations.get(header.operation)
        if operation is None:
            log.warning("Operation %#06x is unknown", header.operation)
            return self._error(header, Result.INVALID_OPERATION)
        if body is None:
            log.warning("%s refused: broken frame", operation.operation)
            return self._error(header, Result.INVALID_PARAMETER)
        try:
            return self._answer(header, operation, body)
        except (FieldError, HandlerError) as error:
            log.warning("%s refused: %s", operation.operation, error)
            return self._error(header, self.interface.results.get(error.result, error.result))
        except Exception as error:
            # A fault of ours, or memory that ran out.
            log.error("%s aborted: %s", operation.operation, describe_fault(error))
            return self._error(header, Result.ABORTED)

    def _answer(self, header: Header, operation: type[Request[Any]], body: memoryview) -> bytearray:
        request = operation.decode(body, padded=self.framing.padded)
        head = Header(header.operation, header.request_id)
        if not operation.reply.fields:
            # Made first: what such operations do, as to the kernel, cannot always be undone.
            response = self.framing.response(head, b"")
            self._handlers[operation](request)
            return response
        with self._all_or_nothing():
            reply, encoded = self._handlers[operation](request), bytearray()
            try:
                encoded = reply.encode()
                return self.framing.response(head, encoded)
            finally:
                reply.wipe()
                wipe(encoded)

    def _error(self, header: Header, result: Result) -> bytearray:
        return self.framing.response(Header(header.operation, header.request_id, result), b"")


def describe_fault(error: BaseException) -> str:
    """Type and place of an exception, and nothing that it says: there may be secrets in that."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    if place is None:
        return type(error).__name__
    code = place.tb_frame.f_code
    return f"{type(error).__name__} at {PurePath(code.co_filename).name}:{place.tb_lineno}"


class Connection:
    """One client: octets in, octets out, one request after the other.

    What arrives stays in one place until it is answered, and a response until it is sent; then both
    are wiped, for there may be secrets in them.

    :ivar waiting: a whole request that waits for its answer.
    :ivar to_send: what has not gone out yet of a response.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._framing = dispatcher.interface.framing()
        self._received = memoryview(bytearray(self._framing.ROOM))
        self._filled = self._done = 0
        self.waiting: tuple[Header, memoryview | None] | None = None
        self.to_send = memoryview(bytearray())

    @property
    def room(self) -> memoryview:
        """Where the next octets go; there is room as long as no request is waiting."""
        return self._received[self._filled :][:_AT_ONCE]

    def arrived(self, count: int) -> None:
        """Take octets that are in the room now, and answer the first request that is whole."""
        self._filled += count
        if not self.waiting:
            self._cut()
        self.answer()

    def answer(self) -> None:
        """Answer the next request, if one is waiting and nothing has to be sent before."""
        if self.waiting and not self.to_send:
            self.to_send = memoryview(self._dispatcher(*self.waiting))
            self._cut()

    def sent(self, count: int) -> None:
        """So many octets have gone out."""
        wipe(self.to_send[:count])
        self.to_send = self.to_send[count:]

    def _cut(self) -> None:
        """Wipe the request before, and look for the next one."""
        self._wipe_done()
        received = self._received[: self._filled]
        self._done, header, body = self._framing.first(received, responses=False)
        self.waiting = header and (header, body)
        if not self.waiting:  # there may be what is read over
            self._wipe_done()

    def _wipe_done(self) -> None:
        """Give the room of what is done with to what follows it."""
        rest = self._filled - self._done
        self._received[:rest] = self._received[self._done : self._filled]
        wipe(self._received[rest : self._filled])
        self._filled, self._done = rest, 0

    def close(self) -> None:
        """Leave nothing behind."""
        wipe(self._received[: self._filled])
        self.sent(len(self.to_send))


class ClientSocket:
    """The edge of a connection.

    :param on_end: called when it has ended.
    """

    def __init__(
        self,
        stream: socket.socket,
        connection: Connection,
        selector: selectors.BaseSelector,
        on_end: Callable[["ClientSocket"], None],
    ) -> None:
        self._socket = stream
        self._connection = connection
        self._selector = selector
        self._on_end = on_end
        self._event = selectors.EVENT_READ
        selector.register(stream, self._event, self.serve)

    def serve(self) -> None:
        """Take a turn: it is ready for what we wait for.

        A client that does not read its answers is not read from either; and of many requests at
        once, one is answered a turn, so that nobody else is kept waiting.
        """
        connection = self._connection
        try:
            if self._event == selectors.EVENT_READ:
                count = self._socket.recv_into(connection.room)
                if not count:
                    self.hang_up()
                    return
                connection.arrived(count)
            else:
                connection.answer()
            if connection.to_send:
                connection.sent(self._socket.send(connection.to_send))
        except BlockingIOError:
            pass
        except OSError:
            self.hang_up()
            return
        except Exception as error:
            log.error("Client hung up on: %s", describe_fault(error))
            self.hang_up()
            return
        busy = connection.to_send or connection.waiting
        event = selectors.EVENT_WRITE if busy else selectors.EVENT_READ
        if event != self._event:
            self._event = event
            self._selector.modify(self._socket, event, self.serve)

    def hang_up(self) -> None:
        """End it."""
        self._selector.unregister(self._socket)
        self._socket.close()
        self._connection.close()
        self._on_end(self)


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
        self._clients: dict[ClientSocket, int] = {}
        """With their users."""
        self._crowded: set[int] = set()
        """Users who were turned away since one of theirs was let in."""
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        stream = self._listener.accept()
        if stream is None:
            return
        user = credentials(stream).uid
        of_user = sum(1 for other in self._clients.values() if other == user)
        if of_user >= MOST_CLIENTS_OF_A_USER or len(self._clients) >= MOST_CLIENTS:
            if user not in self._crowded:  # one line until there is room again
                log.warning("Clients of user %d turned away: %d are connected", user, of_user)
            self._crowded.add(user)
            stream.close()
            return
        self._crowded.discard(user)
        connection = Connection(self._dispatcher)
        client = ClientSocket(stream, connection, self._selector, self._forget)
        self._clients[client] = user

    def _forget(self, client: ClientSocket) -> None:
        self._clients.pop(client, None)

    def close(self) -> None:
        """Hang up on everybody and take the socket's name away, unless somebody took it over."""
        for client in list(self._clients):
            client.hang_up()
        self._selector.unregister(self._listener)
        self._listener.close()
