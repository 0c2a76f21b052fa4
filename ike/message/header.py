# SPDX-License-Identifier: GPL-2.0-or-later
"""The IKE header (RFC 7296, 3.1)."""

from struct import Struct
from typing import Self

from ike.message.errors import InvalidMajorVersion, MalformedMessage
from ike.value import Value

_LAYOUT = Struct(">8s8sBBBBII")
_INITIATOR, _VERSION, _RESPONSE = 0x08, 0x10, 0x20
_MAJOR = 2
NO_SPI = bytes(8)


class Header(Value):
    """What leads a message; its length and first payload follow from the payloads.

    Attributes:
        spi_i: SPI of the IKE SA's initiator, 8 octets.
        spi_r: SPI of its responder; zero in the first message.
        exchange: Exchange type.
        initiator: The sender is the IKE SA's original initiator.
        response: This answers the request of the same message id.
    """

    spi_i: bytes
    spi_r: bytes
    exchange: int
    initiator: bool
    response: bool
    message_id: int

    LENGTH = _LAYOUT.size

    def encode(self, first: int, length: int) -> bytes:
        """The header's octets.

        Args:
            first: Type of the first payload.
            length: Of the whole message, in octets.
        """
        flags = (_INITIATOR if self.initiator else 0) | (_RESPONSE if self.response else 0)
        version = _MAJOR << 4
        return _LAYOUT.pack(
            self.spi_i, self.spi_r, first, version, self.exchange, flags, self.message_id, length
        )

    @classmethod
    def decode(cls, datagram: bytes) -> tuple[Self, int]:
        """The header of a datagram, and the type of the first payload.

        Raises:
            MalformedMessage: It is not an IKE message of this length.
            InvalidMajorVersion: It is one, of a later version; ``header`` is not given then,
                :meth:`decode_any` reads it.
        """
        header, first, major = cls.decode_any(datagram)
        if major > _MAJOR:
            raise InvalidMajorVersion(f"header: IKE version {major}", data=bytes((_MAJOR << 4,)))
        if major < _MAJOR:
            raise MalformedMessage(f"header: IKE version {major}")
        return header, first

    @classmethod
    def decode_any(cls, datagram: bytes) -> tuple[Self, int, int]:
        """As :meth:`decode`, of any version; the major version is the last value."""
        if len(datagram) < _LAYOUT.size:
            raise MalformedMessage(f"header: {len(datagram)} octets are no IKE message")
        spi_i, spi_r, first, version, exchange, flags, message_id, length = _LAYOUT.unpack_from(
            datagram
        )
        if length != len(datagram):
            raise MalformedMessage(f"header: length {length}, {len(datagram)} octets received")
        if spi_i == NO_SPI:
            raise MalformedMessage("header: the initiator's SPI is zero")
        initiator, response = bool(flags & _INITIATOR), bool(flags & _RESPONSE)
        header = cls(spi_i, spi_r, exchange, initiator, response, message_id)
        return header, first, version >> 4
