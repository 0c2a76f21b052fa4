# SPDX-License-Identifier: GPL-2.0-or-later
"""A payload of a type that we do not know (RFC 7296, 2.5).

Kept, because what was authenticated must be encoded again octet for octet; marked critical, it
never gets here.
"""

from typing import Self

from ike.message.numbers import PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader


class Unknown(Payload):
    """Any octets.

    :ivar kind: its payload type.
    """

    type = PayloadType.NONE
    label = "?"
    kind: int
    octets: bytes

    def encode(self) -> bytes:
        return self.octets

    @classmethod
    def decode(cls, body: Reader, kind: int = PayloadType.NONE) -> Self:
        return cls(kind, body.rest())

    def summary(self) -> str:
        return f"({self.kind})"
