# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages in fragments: when to split them, and how to reassemble them (RFC 7383).

IP fragments get lost in many networks, because they have no ports, so IKE splits messages itself.
Each fragment is authenticated on its own: forged fragments are never kept, and those of the peer
are bounded.
"""

import logging
from typing import NamedTuple

from ike import address
from ike.engine.context import Settings
from ike.message.payloads import EncryptedFragment

log = logging.getLogger("ike")

MOST_FRAGMENTS = 128
LONGEST = 0x10000
"""Octets that a message may have in all its fragments, encrypted."""

_UDP, _NON_ESP_MARKER = 8, 4
_IP = {4: 20, 16: 40}
"""Octets of the IP header, by those of an address."""


def limit(host: str, settings: Settings) -> int:
    """Octets of IKE in the longest datagram that gets to ``host`` in one piece (2.5.1)."""
    octets = len(address.pack(host))
    longest = settings.ipv4_datagram if octets == 4 else settings.ipv6_datagram
    return longest - _IP[octets] - _UDP - _NON_ESP_MARKER


class Whole(NamedTuple):
    """What a message has inside.

    Attributes:
        first: Type of the first payload.
        chain: Octets of all.
    """

    first: int
    chain: bytes


class Reassembly:
    """Puts the messages of one direction together, one at a time.

    Attributes:
        leader: The datagram with the first fragment of the message; by it a repetition of the
            message is known. Empty as long as it is not there.
    """

    def __init__(self) -> None:
        self._begin(-1, 0)

    def _begin(self, message_id: int, total: int) -> None:
        self.leader = b""
        self._message_id = message_id
        self._total = total
        self._first = 0
        self._pieces: dict[int, bytes] = {}

    def clear(self) -> None:
        """Forget everything: the message has arrived in one piece."""
        self._begin(-1, 0)

    @property
    def held(self) -> int:
        """Octets that wait for others."""
        return sum(map(len, self._pieces.values()))

    def wants(self, message_id: int, fragment: EncryptedFragment) -> bool:
        """The fragment is worth opening, if it is the peer's: new, and within the bounds."""
        if fragment.total > MOST_FRAGMENTS or len(fragment.protected) > LONGEST:
            return False
        if message_id != self._message_id or fragment.total > self._total:
            return True
        fits = self.held + len(fragment.protected) <= LONGEST
        return fits and fragment.total == self._total and fragment.number not in self._pieces

    def add(
        self, message_id: int, fragment: EncryptedFragment, plain: bytes, datagram: bytes
    ) -> Whole | None:
        """Keep a fragment that is the peer's: the whole message, if it was the last to come.

        A peer that splits its message again, into more pieces, starts over (2.6).
        """
        if message_id != self._message_id or fragment.total > self._total:
            self._begin(message_id, fragment.total)
        self._pieces[fragment.number] = plain
        if fragment.number == 1:
            self._first, self.leader = fragment.first, datagram
        number, total = fragment.number, fragment.total
        if len(self._pieces) < total:
            log.info("received fragment #%d of %d, waiting for complete IKE message", number, total)
            return None
        chain = b"".join(self._pieces[number] for number in range(1, total + 1))
        self._pieces.clear()
        log.info(
            "received fragment #%d of %d, reassembled fragmented IKE message (%d bytes)",
            number,
            total,
            len(chain),
        )
        return Whole(self._first, chain)
