# SPDX-License-Identifier: GPL-2.0-or-later
"""Identities, as configurations write them and as Identification payloads carry them."""

from ike.message.payloads import Identification
from ike.value import Value
from tkm import identity


class Identity(Value):
    """An identity (RFC 7296, 3.5).

    The TKM builds the same octets from its own configuration when it signs (`tkm.identity`).

    Attributes:
        kind: ID type.
        data: As the type lays it out.
    """

    kind: int
    data: bytes

    @classmethod
    def parse(cls, text: str) -> "Identity":
        """From a configuration's ``id``.

        Raises:
            ValueError: It is none.
        """
        return cls(*identity.parse(text))

    @classmethod
    def of(cls, payload: Identification) -> "Identity":
        """From an Identification payload."""
        return cls(payload.kind, payload.data)

    @property
    def payload(self) -> bytes:
        """The body of an Identification payload."""
        return identity.Identity(self.kind, self.data).payload

    def matches(self, other: "Identity") -> bool:
        """Both are the same, however they are written."""
        one, another = (identity.Identity(each.kind, each.data) for each in (self, other))
        return one.matches(another)

    def __str__(self) -> str:
        return str(identity.Identity(self.kind, self.data))
