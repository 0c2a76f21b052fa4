# SPDX-License-Identifier: GPL-2.0-or-later
"""Notify payload (RFC 7296, 3.10)."""

from struct import pack
from typing import Self

from ike.message.numbers import PayloadType, Protocol, short_notify
from ike.message.payload import Payload
from ike.message.reader import Reader


class Notify(Payload):
    """An error, or a status.

    :ivar kind: Notify message type.
    :ivar data: as the type lays it out.
    :ivar protocol: of the SA that it is about; 0 if it is about none, or the IKE SA.
    :ivar spi: of that SA, 4 octets for ESP; empty if there is none.
    """

    type = PayloadType.NOTIFY
    label = "N"
    kind: int
    data: bytes = b""
    protocol: int = Protocol.NONE
    spi: bytes = b""

    def encode(self) -> bytes:
        return pack(">BBH", self.protocol, len(self.spi), self.kind) + self.spi + self.data

    @classmethod
    def decode(cls, body: Reader) -> Self:
        protocol, spi_size, kind = body.integer(1), body.integer(1), body.integer(2)
        spi = body.take(spi_size)
        return cls(kind, body.rest(), protocol, spi)

    def summary(self) -> str:
        return f"N({short_notify(self.kind)})"
