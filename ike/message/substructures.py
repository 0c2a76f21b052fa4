# SPDX-License-Identifier: GPL-2.0-or-later
"""What SA and Traffic Selector payloads consist of (RFC 7296, 3.3 and 3.13.1)."""

from struct import pack
from typing import Self

from ike.message.numbers import AttributeType, TsType
from ike.message.reader import Reader
from ike.value import Value

_LAST, _MORE_PROPOSALS, _MORE_TRANSFORMS = 0, 2, 3
_TV = 0x8000
_ADDRESS_SIZES = {TsType.IPV4_ADDR_RANGE: 4, TsType.IPV6_ADDR_RANGE: 16}
_HEAD = 8


class Transform(Value):
    """One algorithm.

    Attributes:
        kind: Transform type, 1 for encryption.
        id: The algorithm, in the registry of its type.
        key_length: In bits; ``None`` if the algorithm has only one.
        others: Attributes that we do not know, as (type with the AF bit, value); code that chooses
            among transforms leaves one with such attributes alone (3.3.6).
    """

    kind: int
    id: int
    key_length: int | None = None
    others: tuple[tuple[int, bytes], ...] = ()

    def encode(self, *, last: bool) -> bytes:
        """The substructure's octets."""
        attributes = b""
        if self.key_length is not None:
            attributes = pack(">HH", _TV | AttributeType.KEY_LENGTH, self.key_length)
        for kind, value in self.others:
            length = b"" if kind & _TV else pack(">H", len(value))
            attributes += pack(">H", kind) + length + value
        more = _LAST if last else _MORE_TRANSFORMS
        return pack(">BBHBBH", more, 0, 8 + len(attributes), self.kind, 0, self.id) + attributes

    @classmethod
    def decode(cls, body: Reader, *, last: bool) -> Self:
        """The next transform of a proposal."""
        inner = _substructure(body, "transform", last=last, more=_MORE_TRANSFORMS)
        kind = inner.integer(1)
        inner.take(1)
        number, key_length, others = inner.integer(2), None, []
        while len(inner):
            attribute = inner.integer(2)
            value = inner.take(2 if attribute & _TV else inner.integer(2))
            if attribute == _TV | AttributeType.KEY_LENGTH and key_length is None:
                key_length = int.from_bytes(value, "big")
            else:
                others.append((attribute, value))
        return cls(kind, number, key_length, tuple(others))


class Proposal(Value):
    """One suite of algorithms, or several in one: any transform of each type (3.3.1).

    Attributes:
        number: 1 for the first; an answer repeats the number of the one that was chosen.
        protocol: 1 for IKE, 3 for ESP.
        spi: The sender's inbound SPI: empty in IKE_SA_INIT, 8 octets in an IKE SA's rekeying, 4 for
            ESP.
    """

    number: int
    protocol: int
    spi: bytes
    transforms: tuple[Transform, ...]

    def encode(self, *, last: bool) -> bytes:
        """The substructure's octets."""
        final = len(self.transforms) - 1
        transforms = b"".join(
            transform.encode(last=position == final)
            for position, transform in enumerate(self.transforms)
        )
        return (
            pack(
                ">BBHBBBB",
                _LAST if last else _MORE_PROPOSALS,
                0,
                8 + len(self.spi) + len(transforms),
                self.number,
                self.protocol,
                len(self.spi),
                len(self.transforms),
            )
            + self.spi
            + transforms
        )

    @classmethod
    def decode(cls, body: Reader, *, last: bool) -> Self:
        """The next proposal of a payload."""
        inner = _substructure(body, "proposal", last=last, more=_MORE_PROPOSALS)
        number, protocol = inner.integer(1), inner.integer(1)
        spi_size, count = inner.integer(1), inner.integer(1)
        spi = inner.take(spi_size)
        transforms = tuple(
            Transform.decode(inner, last=position == count - 1) for position in range(count)
        )
        if len(inner):
            raise inner.fail(f"{len(inner)} octets after the last transform")
        return cls(number, protocol, spi, transforms)


def _substructure(body: Reader, what: str, *, last: bool, more: int) -> Reader:
    """Return the octets of the next substructure, after its length field."""
    mark = body.integer(1)
    body.take(1)
    length = body.integer(2)
    if mark != (_LAST if last else more):
        raise body.fail(f"a {what} marked {mark} as {'last' if last else 'one of several'}")
    if length < 8:
        raise body.fail(f"a {what} of {length} octets")
    return Reader(body.take(length - 4), f"{body.what}, {what}")


class TrafficSelector(Value):
    """A range of addresses and ports; the bounds belong to it.

    Attributes:
        kind: 7 for IPv4, 8 for IPv6.
        protocol: IP protocol, 0 for any.
        first_port: For ICMP type and code; 65535 with a ``last_port`` of 0 is OPAQUE.
        first: The lowest address, 4 or 16 octets.
    """

    kind: int
    protocol: int
    first_port: int
    last_port: int
    first: bytes
    last: bytes

    def encode(self) -> bytes:
        """The selector's octets."""
        length = _HEAD + len(self.first) + len(self.last)
        head = pack(">BBHHH", self.kind, self.protocol, length, self.first_port, self.last_port)
        return head + self.first + self.last

    @classmethod
    def decode(cls, body: Reader) -> Self | None:
        """The next selector of a payload; ``None`` if its type is unknown, to be passed over."""
        kind, protocol, length = body.integer(1), body.integer(1), body.integer(2)
        if length < _HEAD:
            raise body.fail(f"a selector of {length} octets")
        selector = Reader(body.take(length - 4), body.what)
        if kind not in _ADDRESS_SIZES:
            return None
        size = _ADDRESS_SIZES[TsType(kind)]
        if length != _HEAD + 2 * size:
            raise body.fail(f"a selector of type {kind} and {length} octets")
        first_port, last_port = selector.integer(2), selector.integer(2)
        return cls(kind, protocol, first_port, last_port, selector.take(size), selector.rest())
