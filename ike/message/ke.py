# SPDX-License-Identifier: GPL-2.0-or-later
"""Key Exchange payload (RFC 7296, 3.4)."""

from struct import pack
from typing import Self

from ike.message.numbers import PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader


class KeyExchange(Payload):
    """A public value.

    :ivar method: key exchange method (transform type 4), 16 for MODP-4096.
    :ivar public_value: as the method lays it out, for MODP as long as the prime.
    """

    type = PayloadType.KE
    label = "KE"
    method: int
    public_value: bytes

    def encode(self) -> bytes:
        return pack(">HH", self.method, 0) + self.public_value

    @classmethod
    def decode(cls, body: Reader) -> Self:
        method = body.integer(2)
        body.take(2)
        if not len(body):
            raise body.fail("no public value")
        return cls(method, body.rest())
