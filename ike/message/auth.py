# SPDX-License-Identifier: GPL-2.0-or-later
"""Authentication payload (RFC 7296, 3.8; RFC 7427, 3)."""

from typing import Self

from ike.message.numbers import PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader


class Authentication(Payload):
    """Proof of the sender's identity.

    :ivar method: 1 for RSA with SHA-1, 14 for a signature that names its algorithm.
    :ivar data: for method 14 the length and the AlgorithmIdentifier lead it.
    """

    type = PayloadType.AUTH
    label = "AUTH"
    method: int
    data: bytes

    def encode(self) -> bytes:
        return bytes((self.method, 0, 0, 0)) + self.data

    @classmethod
    def decode(cls, body: Reader) -> Self:
        method = body.integer(1)
        body.take(3)
        return cls(method, body.rest())
