# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading octets with every bound checked, and the error in words."""

from ike.message.errors import MalformedMessage


class Reader:
    """Reads ``octets`` from front to back; integers are in network byte order.

    Args:
        what: Names the octets in errors, as ``Nonce payload``.
    """

    __slots__ = ("_at", "_octets", "what")

    def __init__(self, octets: bytes, what: str) -> None:
        self._octets = octets
        self._at = 0
        self.what = what

    def take(self, count: int) -> bytes:
        """The next ``count`` octets.

        Raises:
            MalformedMessage: There are fewer.
        """
        end = self._at + count
        if end > len(self._octets):
            raise MalformedMessage(
                f"{self.what}: {count} octets wanted at {self._at}, "
                f"{len(self._octets) - self._at} are left"
            )
        octets = self._octets[self._at : end]
        self._at = end
        return octets

    def integer(self, size: int) -> int:
        """An unsigned integer of ``size`` octets."""
        return int.from_bytes(self.take(size), "big")

    def peek(self, ahead: int, size: int) -> int:
        """The integer of ``size`` octets that begins ``ahead`` octets from here; not taken."""
        return int.from_bytes(self._octets[self._at + ahead : self._at + ahead + size], "big")

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._octets) - self._at)

    def __len__(self) -> int:
        return len(self._octets) - self._at

    def fail(self, reason: str) -> MalformedMessage:
        """The error to raise when a value that was read is not acceptable."""
        return MalformedMessage(f"{self.what}: {reason}")
