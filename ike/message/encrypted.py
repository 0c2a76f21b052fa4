# SPDX-License-Identifier: GPL-2.0-or-later
"""Encrypted payload, and its fragment (RFC 7296, 3.14; RFC 7383, 2.5): containers.

Both end the message. The Next Payload field of their generic header names what is inside; so these
bodies carry it. What is inside is protected by the TKM; :mod:`ike.engine.protection` asks for it.
"""

from struct import pack
from typing import Self

from ike.message.numbers import PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader


class Encrypted(Payload):
    """A chain of payloads, protected.

    :ivar first: type of the first payload inside.
    :ivar protected: IV | ciphertext | integrity check value.
    """

    type = PayloadType.SK
    label = "SK"
    first: int
    protected: bytes

    def encode(self) -> bytes:
        return self.protected

    @classmethod
    def decode(cls, body: Reader, first: int = PayloadType.NONE) -> Self:
        return cls(first, body.rest())


class EncryptedFragment(Payload):
    """A piece of such a chain.

    :ivar first: type of the first payload inside, in the first fragment; 0 in the others.
    :ivar number: 1 for the first fragment.
    :ivar total: how many there are.
    """

    type = PayloadType.SKF
    label = "EF"
    first: int
    number: int
    total: int
    protected: bytes

    def encode(self) -> bytes:
        return pack(">HH", self.number, self.total) + self.protected

    @classmethod
    def decode(cls, body: Reader, first: int = PayloadType.NONE) -> Self:
        number, total = body.integer(2), body.integer(2)
        if not 1 <= number <= total:
            raise body.fail(f"fragment {number} of {total}")
        if (number > 1) and first:
            raise body.fail(f"fragment {number} names a first payload")
        return cls(first, number, total, body.rest())

    def summary(self) -> str:
        return f"EF({self.number}/{self.total})"
