# SPDX-License-Identifier: GPL-2.0-or-later
"""How single values are laid out in a frame.

Each field type knows its octets, its bounds and how to describe itself; a record is a row of them,
one behind the other with no padding between. Decoding checks the bounds, so nothing that is out of
bounds ever reaches a handler.
"""

import struct
from abc import ABC, abstractmethod
from typing import Any, Final, Literal

from tkm.rpc.result import FieldError, Result
from tkm.rpc.wipe import Buffer

ByteOrder = Literal["big", "little"]

_ORDER: Final[dict[ByteOrder, str]] = {"big": ">", "little": "<"}
_CODE: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""How ``struct`` calls an unsigned integer of so many octets."""

LEAST_NONCE: Final = 32
"""Octets of a nonce: half the key of PRF_HMAC_SHA2_512, the longest there is (RFC 7296, 2.10)."""


class Field(ABC):
    """The layout of one value.

    :ivar secret: what it holds must not stay in memory; see :class:`Octets`.
    """

    secret = False

    @abstractmethod
    def encode(self, value: Any) -> bytes | bytearray:
        """The octets of ``value``.

        :raises FieldError: it is out of bounds.
        """

    @abstractmethod
    def decode(self, body: Buffer, at: int) -> tuple[Any, int]:
        """The value at offset ``at``, and the offset behind it.

        :raises FieldError: it is out of bounds, or the body ends before it does.
        """

    @abstractmethod
    def describe(self) -> str:
        """The layout in a few words, for the documentation."""


def _cut(body: Buffer, at: int, length: int) -> Buffer:
    """``length`` octets of ``body`` from ``at``."""
    octets = body[at : at + length]
    if len(octets) < length:
        raise _too_short(body, at, length)
    return octets


def _too_short(body: Buffer, at: int, length: int) -> FieldError:
    return FieldError(f"the body ends at {len(body)}, inside a field of {length} at {at}")


class Unsigned(Field):
    """An unsigned integer of ``size`` octets in ``low`` to ``high``."""

    def __init__(
        self,
        size: int,
        order: ByteOrder = "big",
        *,
        low: int = 0,
        high: int | None = None,
        fault: Result = Result.INVALID_PARAMETER,
    ) -> None:
        self.size = size
        self.order = order
        self.low = low
        self.high = (1 << 8 * size) - 1 if high is None else high
        self.fault = fault
        layout = struct.Struct(_ORDER[order] + _CODE[size])
        self._pack, self._unpack = layout.pack, layout.unpack_from

    def _out_of_bounds(self, value: int) -> FieldError:
        return FieldError(f"{value} is not in {self.low} to {self.high}", self.fault)

    def encode(self, value: int) -> bytes:
        if not self.low <= value <= self.high:
            raise self._out_of_bounds(value)
        return self._pack(value)

    def decode(self, body: Buffer, at: int) -> tuple[int, int]:
        try:
            (value,) = self._unpack(body, at)
        except struct.error:
            raise _too_short(body, at, self.size) from None
        if not self.low <= value <= self.high:
            raise self._out_of_bounds(value)
        return value, at + self.size

    def describe(self) -> str:
        name = f"u{8 * self.size}"
        if self.high < (1 << 8 * self.size) - 1:
            return f"{name}, {self.low} to {self.high}"
        return f"{name}, from {self.low}" if self.low else name


class Flag(Unsigned):
    """A truth value: 1 or 0, nothing else."""

    def __init__(self, size: int = 1, order: ByteOrder = "big") -> None:
        super().__init__(size, order, high=1)

    def decode(self, body: Buffer, at: int) -> tuple[bool, int]:
        value, end = super().decode(body, at)
        return bool(value), end

    def describe(self) -> str:
        return f"u{8 * self.size}, 0 or 1"


class Fixed(Field):
    """Exactly ``length`` octets, as they are: an SPI as it stands in the packet."""

    def __init__(self, length: int) -> None:
        self.length = length

    def encode(self, value: bytes) -> bytes:
        if len(value) != self.length:
            raise FieldError(f"{len(value)} octets in place of {self.length}")
        return bytes(value)

    def decode(self, body: Buffer, at: int) -> tuple[bytes, int]:
        return bytes(_cut(body, at, self.length)), at + self.length

    def describe(self) -> str:
        return f"{self.length} octets"


class Octets(Field):
    """``u32`` size, then that many octets, of which there are ``low`` to ``high``.

    With ``slot`` the octets always take the room of ``high`` of them, as in generation 1. Those of
    a ``secret`` field are not copied out of a body that is a ``memoryview``, so that it can be
    wiped; and what is encoded of them is a ``bytearray``, for the same reason.
    """

    def __init__(
        self, high: int, *, low: int = 1, order: ByteOrder = "big",
        slot: bool = False, secret: bool = False,
    ) -> None:  # fmt: skip
        self.low = low
        self.high = high
        self.order = order
        self.slot = slot
        self.secret = secret

    def _checked(self, size: int) -> int:
        if not self.low <= size <= self.high:
            raise FieldError(f"{size} octets are not in {self.low} to {self.high}")
        return size

    def encode(self, value: Buffer) -> bytes | bytearray:
        size = self._checked(len(value)).to_bytes(4, self.order)
        rest = bytes(self.high - len(value) if self.slot else 0)
        return (bytearray() if self.secret else b"").join((size, value, rest))

    def decode(self, body: Buffer, at: int) -> tuple[Buffer, int]:
        size = self._checked(int.from_bytes(_cut(body, at, 4), self.order))
        at += 4
        room = self.high if self.slot else size
        octets = _cut(body, at, room)[:size]
        return octets if self.secret else bytes(octets), at + room

    def describe(self) -> str:
        room = f" in the room of {self.high}" if self.slot else ""
        return f"u32 size, {self.low} to {self.high} octets{room}"


class Sequence(Field):
    """``u8`` count, then that many values of one layout, of which there are ``low`` to ``high``."""

    def __init__(self, item: Field, high: int, *, low: int = 0) -> None:
        self.item = item
        self.low = low
        self.high = high

    def _checked(self, count: int) -> int:
        if not self.low <= count <= self.high:
            raise FieldError(f"{count} values are not in {self.low} to {self.high}")
        return count

    def encode(self, value: tuple[Any, ...]) -> bytes:
        return bytes([self._checked(len(value))]) + b"".join(map(self.item.encode, value))

    def decode(self, body: Buffer, at: int) -> tuple[tuple[Any, ...], int]:
        count = self._checked(_cut(body, at, 1)[0])
        at += 1
        values = []
        for _ in range(count):
            value, at = self.item.decode(body, at)
            values.append(value)
        return tuple(values), at

    def describe(self) -> str:
        return f"u8 count, {self.low} to {self.high} times {self.item.describe()}"
