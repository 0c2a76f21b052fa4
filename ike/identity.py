# SPDX-License-Identifier: GPL-2.0-or-later
"""Identities, as configurations write them and as Identification payloads carry them."""

from ike import address
from ike.message.numbers import IdType, name
from ike.message.payloads import Identification
from ike.value import Value


class Identity(Value):
    """An identity (RFC 7296, 3.5).

    The TKM builds the same octets from its own configuration when it signs and verifies: a mail
    address is one with an ``@`` in it, everything else is a domain name.

    Attributes:
        kind: ID type.
        data: As the type lays it out.
    """

    kind: int
    data: bytes

    @classmethod
    def parse(cls, text: str) -> "Identity":
        """From a configuration's ``id``."""
        return cls(IdType.RFC822_ADDR if "@" in text else IdType.FQDN, text.encode())

    @classmethod
    def of(cls, payload: Identification) -> "Identity":
        """From an Identification payload."""
        return cls(payload.kind, payload.data)

    def __str__(self) -> str:
        if self.kind in (IdType.FQDN, IdType.RFC822_ADDR):
            # A peer writes what it likes, and this goes to logs: it must not forge other lines.
            text = self.data.decode("ascii", "backslashreplace")
            return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        if self.kind == IdType.IPV4_ADDR and len(self.data) == 4:
            return address.unpack(self.data)
        return f"{name(IdType, self.kind)}:{self.data.hex()}"
