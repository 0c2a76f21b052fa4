# SPDX-License-Identifier: GPL-2.0-or-later
"""An interface: its operations by code, and the frames that carry them.

Two framings exist. Generation 1 has frames of one size, padded (:class:`FixedFrames`); generation 2
writes the length in front (:class:`SizedFrames`). Both cut a stream of octets into frames however
the kernel has split it, and neither ever loses its place: a frame that is too long is read over and
answered like any other bad request.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, get_args, get_origin

from tkm.rpc.record import Record, snake_case
from tkm.rpc.result import FrameError, Result
from tkm.rpc.wipe import Buffer

R = TypeVar("R", bound=Record)


class Header(NamedTuple):
    """What stands in front of a body.

    :ivar request_id: chosen by the client, echoed by the server.
    :ivar result: ``Result`` of a response; ``OK`` in a request.
    """

    operation: int
    request_id: int
    result: int = Result.OK


First = tuple[int, Header | None, memoryview | None]
"""How many octets of a stream are done with after its first whole frame; its header and body.

Without a header there is none yet. A body of ``None`` is one that was too long to be kept.
"""


class Framing(ABC):
    """How a header and a body become octets on the stream, and back."""

    padded: bool
    """There may be anything behind the last field of a body."""
    ROOM: ClassVar[int]
    """Octets of the longest frame that is taken."""

    @abstractmethod
    def request(self, header: Header, body: Buffer) -> bytearray:
        """The octets of a request.

        :raises FrameError: the body is too long.
        """

    @abstractmethod
    def response(self, header: Header, body: Buffer) -> bytearray:
        """The octets of a response."""

    @abstractmethod
    def first(self, stream: memoryview, *, responses: bool) -> First:
        """The first whole frame of a stream."""

    def cut(self, stream: bytearray, *, responses: bool) -> tuple[Header, bytes | None] | None:
        """Take the first whole frame off the stream; ``None`` if there is none yet."""
        done, header, body = self.first(memoryview(bytes(stream)), responses=responses)
        del stream[:done]
        return header and (header, None if body is None else bytes(body))

    @abstractmethod
    def is_whole(self, response: bytes) -> bool:
        """All octets of a response are there, or enough to see that it will never be one."""


class FixedFrames(Framing):
    """Generation 1: 2048 octets a request, 1024 a response, behind the body there is padding.

    ``u64 operation | u64 request id | body`` and
    ``u64 operation | u64 request id | u64 result | body``; all in the byte order of x86.
    """

    padded = True
    ROOM = REQUEST = 2048
    RESPONSE = 1024
    _request = Struct("<QQ")
    _response = Struct("<QQQ")

    def request(self, header: Header, body: Buffer) -> bytearray:
        head = self._request.pack(header.operation, header.request_id)
        rest = self.REQUEST - len(head) - len(body)
        if rest < 0:
            raise FrameError(
                f"a request of {self.REQUEST - rest} octets does not fit {self.REQUEST}"
            )
        return bytearray().join((head, body, bytes(rest)))

    def response(self, header: Header, body: Buffer) -> bytearray:
        head = self._response.pack(*header)
        return bytearray().join((head, body, bytes(self.RESPONSE - len(head) - len(body))))

    def first(self, stream: memoryview, *, responses: bool) -> First:
        size, head = (self.RESPONSE, self._response) if responses else (self.REQUEST, self._request)
        if len(stream) < size:
            return 0, None, None
        return size, Header(*head.unpack_from(stream)), stream[head.size : size]

    def is_whole(self, response: bytes) -> bool:
        return len(response) >= self.RESPONSE


class SizedFrames(Framing):
    """Generation 2: ``u32 length | u16 operation | u16 result | u32 request id | body``.

    ``length`` counts what follows it; all in network byte order. In a request the place of the
    result is zero.
    """

    padded = False
    LONGEST = 80 * 1024
    """Longer frames are read over."""
    ROOM = 4 + LONGEST
    _head = Struct(">IHHI")

    def __init__(self) -> None:
        self._over = 0

    def _frame(self, header: Header, body: Buffer) -> bytearray:
        length = self._head.size - 4 + len(body)
        if length > self.LONGEST:
            raise FrameError(f"a frame of {length} octets is longer than {self.LONGEST}")
        head = self._head.pack(length, header.operation, header.result, header.request_id)
        return bytearray().join((head, body))

    request = response = _frame

    def first(self, stream: memoryview, *, responses: bool) -> First:
        begin = min(self._over, len(stream))
        self._over -= begin
        head = begin + self._head.size
        if len(stream) < head:
            return begin, None, None
        length, operation, result, request_id = self._head.unpack_from(stream, begin)
        header, size = Header(operation, request_id, result), 4 + length
        if not self._head.size <= size <= self.ROOM:
            self._over = max(self._head.size, size)
            return begin, header, None
        end = begin + size
        if len(stream) < end:
            return begin, None, None
        return end, header, stream[head:end]

    def is_whole(self, response: bytes) -> bool:
        if len(response) < self._head.size:
            return False
        length = int.from_bytes(response[:4])
        return len(response) >= 4 + length or length > self.LONGEST


class Request(Record, Generic[R]):
    """A request, answered by a reply of type ``R``.

    Subclasses are the operations: ``class NcReset(Request[Empty], interface=RPC2, code=0x0100)``.
    """

    code: ClassVar[int]
    reply: ClassVar[type[Record]]
    operation: ClassVar[str]
    """The operation's name, as ``nc_reset``."""

    def __init_subclass__(cls, interface: "Interface", code: int) -> None:
        super().__init_subclass__()
        cls.code = code
        cls.operation = snake_case(cls.__name__)
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Request:
                cls.reply = get_args(base)[0]
        interface.add(cls)


class Interface:
    """The operations that one side serves and the other calls.

    :ivar name: for logs and documentation.
    :ivar operations: request classes by operation code.
    :ivar results: results that its clients do not know, and those that stand for them.
    """

    def __init__(
        self, name: str, framing: type[Framing], results: Mapping[Result, Result] | None = None
    ) -> None:
        self.name = name
        self.framing = framing
        self.results = results or {}
        self.operations: dict[int, type[Request[Any]]] = {}

    def add(self, operation: type[Request[Any]]) -> None:
        """Make an operation part of the interface; each code stands for one."""
        other = self.operations.setdefault(operation.code, operation)
        if other is not operation:
            raise TypeError(f"{operation.__name__} and {other.__name__} share {operation.code:#x}")

    def __iter__(self) -> Iterator[type[Request[Any]]]:
        return iter(sorted(self.operations.values(), key=lambda operation: operation.code))
