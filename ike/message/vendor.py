# SPDX-License-Identifier: GPL-2.0-or-later
"""Vendor ID payload (RFC 7296, 3.12)."""

from typing import Self

from ike.message.numbers import PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader


class VendorId(Payload):
    """Whose implementation this is; any octets."""

    type = PayloadType.VENDOR_ID
    label = "V"
    octets: bytes

    def encode(self) -> bytes:
        return self.octets

    @classmethod
    def decode(cls, body: Reader) -> Self:
        return cls(body.rest())
