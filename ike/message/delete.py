# SPDX-License-Identifier: GPL-2.0-or-later
"""Delete payload (RFC 7296, 3.11)."""

from struct import pack
from typing import Self

from ike.message.numbers import PayloadType, Protocol
from ike.message.payload import Payload
from ike.message.reader import Reader

_SPI_SIZES = {Protocol.IKE: 0, Protocol.AH: 4, Protocol.ESP: 4}


class Delete(Payload):
    """SAs that the sender has closed.

    :ivar protocol: 1 for this very IKE SA, 3 for ESP.
    :ivar spis: the sender's inbound SPIs, 4 octets each; none for the IKE SA.
    """

    type = PayloadType.DELETE
    label = "D"
    protocol: int
    spis: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        size = len(self.spis[0]) if self.spis else 0
        return pack(">BBH", self.protocol, size, len(self.spis)) + b"".join(self.spis)

    @classmethod
    def decode(cls, body: Reader) -> Self:
        protocol, size, count = body.integer(1), body.integer(1), body.integer(2)
        if protocol not in _SPI_SIZES:
            raise body.fail(f"protocol {protocol}")
        if count and size != _SPI_SIZES[Protocol(protocol)]:
            raise body.fail(f"SPIs of {size} octets for protocol {protocol}")
        if protocol == Protocol.IKE and count:
            raise body.fail("SPIs for the IKE SA")
        if size * count != len(body):
            raise body.fail(f"{count} SPIs of {size} octets do not fill {len(body)}")
        return cls(protocol, tuple(body.take(size) for _ in range(count)))
