# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic Selector payloads, of the initiator and of the responder (RFC 7296, 3.13)."""

from struct import pack
from typing import Self

from ike.message.numbers import PayloadType, TsType
from ike.message.payload import Payload
from ike.message.reader import Reader
from ike.value import Value

_ADDRESS_SIZES = {TsType.IPV4_ADDR_RANGE: 4, TsType.IPV6_ADDR_RANGE: 16}
_HEAD = 8


class TrafficSelector(Value):
    """A range of addresses and ports; the bounds belong to it.

    :ivar kind: 7 for IPv4, 8 for IPv6.
    :ivar protocol: IP protocol, 0 for any.
    :ivar first_port: for ICMP type and code; 65535 with a ``last_port`` of 0 is OPAQUE.
    :ivar first: the lowest address, 4 or 16 octets.
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


class TrafficSelectors(Payload):
    """One or more selectors; selectors of unknown types are passed over."""

    selectors: tuple[TrafficSelector, ...]

    def encode(self) -> bytes:
        head = bytes((len(self.selectors), 0, 0, 0))
        return head + b"".join(selector.encode() for selector in self.selectors)

    @classmethod
    def decode(cls, body: Reader) -> Self:
        count = body.integer(1)
        body.take(3)
        if not count:
            raise body.fail("no selector")
        selectors = [TrafficSelector.decode(body) for _ in range(count)]
        if len(body):
            raise body.fail(f"{len(body)} octets behind the last selector")
        return cls(tuple(selector for selector in selectors if selector))


class TsInitiator(TrafficSelectors):
    type = PayloadType.TSI
    label = "TSi"


class TsResponder(TrafficSelectors):
    type = PayloadType.TSR
    label = "TSr"
