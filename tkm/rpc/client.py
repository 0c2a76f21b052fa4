# SPDX-License-Identifier: GPL-2.0-or-later
"""The calling side of tkm-rpc."""

import os
import socket
import struct
from collections.abc import Callable, Container
from typing import Final, TypeVar, cast

from tkm.rpc.interface import Header, Interface, Request
from tkm.rpc.listener import credentials
from tkm.rpc.record import Record
from tkm.rpc.result import Disconnected, FieldError, FrameError, Refused, Result

R = TypeVar("R", bound=Record)

DEADLINE: Final = 10.0
"""Seconds that one exchange may take."""

Transport = Callable[[bytes], bytes]
"""Takes the frame of a request, gives the octets of its response."""


class Client:
    """Calls the operations of an interface, one at a time."""

    def __init__(self, interface: Interface, transport: Transport) -> None:
        self._interface = interface
        self._framing = interface.framing()
        self._transport = transport
        self._last_id = 0

    def call(self, request: Request[R]) -> R:
        """Ask, and wait for the reply.

        :raises Refused: the result is not Ok.
        :raises Disconnected: the server went away.
        :raises FieldError: a value of the request is out of its bounds.
        :raises FrameError: what came back is no answer to this request.
        """
        self._last_id = (self._last_id + 1) & 0xFFFFFFFF
        header = Header(request.code, self._last_id)
        try:
            frame = bytes(self._framing.request(header, request.encode()))
        except FrameError as error:  # ours is too long: that says nothing about the server
            raise FieldError(f"{request.operation}: {error}") from None
        return cast(R, self._reply(request, self._transport(frame)))

    def _reply(self, request: Request[R], response: bytes) -> Record:
        stream = bytearray(response)
        header, body = self._framing.cut(stream, responses=True) or (None, None)
        if header is None or body is None or stream:
            raise FrameError(f"{request.operation}: {len(response)} octets are no response")
        if (header.operation, header.request_id) != (request.code, self._last_id):
            raise FrameError(
                f"{request.operation}: response to request {header.request_id} "
                f"of operation {header.operation:#06x}"
            )
        if header.result != Result.OK:
            raise Refused(request.operation, _result(header.result))
        try:
            return request.reply.decode(body, padded=self._framing.padded)
        except FieldError as error:
            raise FrameError(f"{request.operation}: {error}") from error


def _result(code: int) -> Result:
    try:
        return Result(code)
    except ValueError:
        return Result.ABORTED


class SocketTransport:
    """Carries frames over a Unix socket.

    :ivar deadline: seconds that one exchange may take. The TKM never needs that long; a caller that
        waits forever for a dead one would be dead too.
    :param servers: users whose processes may serve, beside root and ours; ``None``: anybody's.
    :raises Disconnected: nobody serves, or a process of another user does.
    """

    def __init__(
        self,
        path: str,
        interface: Interface,
        deadline: float = DEADLINE,
        servers: Container[int] | None = None,
    ) -> None:
        self._framing = interface.framing()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The kernel's own deadlines: settimeout() would poll before every send and receive.
        seconds = struct.pack("@ll", int(deadline), int(deadline % 1 * 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, seconds)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise Disconnected(f"nobody answers at {path}: {error.strerror or error}") from error
        user = credentials(self._socket).uid
        if servers is not None and user not in {0, os.geteuid()} and user not in servers:
            self._socket.close()
            raise Disconnected(f"{path} is served by user {user}, who is not expected to")

    def __call__(self, request: bytes) -> bytes:
        try:
            self._socket.sendall(request)
            response = self._receive()
            while not self._framing.is_whole(response):
                response += self._receive()
        except (OSError, Disconnected) as error:
            # A late answer would be taken for that of the next request.
            self.close()
            raise Disconnected(f"the connection broke: {_reason(error)}") from error
        return response

    def fileno(self) -> int:
        """For a selector: between exchanges there is nothing to read but the server's end."""
        return self._socket.fileno()

    def _receive(self) -> bytes:
        octets = self._socket.recv(65536)
        if not octets:
            raise Disconnected("the server closed it")
        return octets

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _reason(error: OSError | Disconnected) -> str:
    return "no answer in time" if isinstance(error, BlockingIOError) else str(error)


def connect(interface: Interface, path: str, servers: Container[int] | None = None) -> Client:
    """A client of the server that listens at ``path``.

    :raises Disconnected: there is none, or it is not one of ``servers``.
    """
    return Client(interface, SocketTransport(path, interface, servers=servers))
