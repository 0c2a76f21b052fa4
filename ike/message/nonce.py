# SPDX-License-Identifier: GPL-2.0-or-later
"""Nonce payload (RFC 7296, 3.9)."""

from typing import Self

from ike.message.numbers import PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader


class Nonce(Payload):
    """A nonce of 16 to 256 octets."""

    type = PayloadType.NONCE
    label = "No"
    octets: bytes

    def encode(self) -> bytes:
        return self.octets

    @classmethod
    def decode(cls, body: Reader) -> Self:
        if not 16 <= len(body) <= 256:
            raise body.fail(f"a nonce of {len(body)} octets, not 16 to 256")
        return cls(body.rest())
