# SPDX-License-Identifier: GPL-2.0-or-later
"""What every payload is: a body with a type, one small module each (RFC 7296, 3.2).

A payload is a frozen data class. ``encode`` gives its body, without the generic header; ``decode``
reads one and checks every bound. Reserved fields are sent as zero and not looked at.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from ike.message.reader import Reader
from ike.value import Value


class Payload(Value, ABC):
    """A payload's body.

    :cvar type: its payload type; :class:`~ike.message.unknown.Unknown` has one per instance.
    :cvar label: what log lines call it.
    """

    type: ClassVar[int]
    label: ClassVar[str]

    @abstractmethod
    def encode(self) -> bytes:
        """The body's octets."""

    @classmethod
    @abstractmethod
    def decode(cls, body: Reader) -> Self:
        """Read a whole body.

        :raises MalformedMessage: it breaks the format.
        """

    def summary(self) -> str:
        """The payload in a log line."""
        return self.label
