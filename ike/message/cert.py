# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificate payload (RFC 7296, 3.6)."""

from typing import Self

from ike.message.numbers import PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader


class Certificate(Payload):
    """A certificate, or something like it.

    :ivar encoding: 4 for an X.509 certificate, DER.
    """

    type = PayloadType.CERT
    label = "CERT"
    encoding: int
    data: bytes

    def encode(self) -> bytes:
        return bytes((self.encoding,)) + self.data

    @classmethod
    def decode(cls, body: Reader) -> Self:
        encoding = body.integer(1)
        if not len(body):
            raise body.fail("no certificate in it")
        return cls(encoding, body.rest())
