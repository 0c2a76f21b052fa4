# SPDX-License-Identifier: GPL-2.0-or-later
"""Identification payloads, of the initiator and of the responder (RFC 7296, 3.5)."""

from typing import Self

from ike.message.numbers import PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader


class Identification(Payload):
    """Who one is.

    :ivar kind: ID type, 2 for a domain name, 3 for a mail address.
    :ivar data: as the type lays it out.
    """

    kind: int
    data: bytes

    def encode(self) -> bytes:
        return bytes((self.kind, 0, 0, 0)) + self.data

    @classmethod
    def decode(cls, body: Reader) -> Self:
        kind = body.integer(1)
        body.take(3)
        return cls(kind, body.rest())


class IdInitiator(Identification):
    type = PayloadType.IDI
    label = "IDi"


class IdResponder(Identification):
    type = PayloadType.IDR
    label = "IDr"
