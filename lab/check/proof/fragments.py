# SPDX-License-Identifier: GPL-2.0-or-later
"""IP fragments put together (RFC 791 section 3.2, RFC 8200 section 4.5).

IP fragments ESP and IKE packets that are larger than the link takes, so a datagram may come out of
several frames. The same code serves for what is inside a tunnel. What never becomes whole is kept:
`lab.check.proof.lost` decides what it may be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from lab.check.proof.datagram import past_extensions
from lab.check.proof.errors import PacketFault
from lab.check.proof.model import Flaw
from lab.check.proof.packet import Datagram

LIFETIME = 60.0
"""Seconds after which an identification may be another datagram's (RFC 8200, section 4.5)."""
_LONGEST = 65535
"""Octets of a datagram; an offset has 13 bits, so fragments could go beyond it."""


class Pieces:
    """The fragments of one datagram that are here, by offset, each with its source's number."""

    def __init__(self, time: float, sender: str) -> None:
        self.time = time
        self.sender = sender
        self.found: list[tuple[Datagram, int]] = []
        self._offsets: list[int] = []
        self._octets = 0
        self._end: int | None = None

    @property
    def first(self) -> Datagram | None:
        """The fragment at offset 0, with which the datagram begins, if it is here."""
        piece = self.found[0][0]
        return piece if piece.offset == 0 else None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the sources, the lowest first."""
        return tuple(sorted(number for _, number in self.found))

    @property
    def is_whole(self) -> bool:
        """Whether no piece is missing."""
        return self._octets == self._end

    def add(self, piece: Datagram, number: int) -> None:
        """Take one more piece.

        Raises:
            PacketFault: FRAGMENT, for one that does not fit between the others (RFC 5722).
        """
        start, end = piece.offset, piece.offset + len(piece.payload)
        place = bisect_left(self._offsets, start)
        before = self.found[place - 1][0] if place else None
        overlaps = (before is not None and before.offset + len(before.payload) > start) or (
            place < len(self.found) and self.found[place][0].offset < end
        )
        if overlaps or (place < len(self.found) and self._offsets[place] == start):
            raise _misfit(piece, f"overlap at octet {start}")
        if end > _LONGEST or (piece.more and (end == start or end % 8)) or end == 0:
            raise _misfit(piece, f"have {end - start} octets at octet {start}")
        last = place == len(self.found)
        if (self._end is not None and (end > self._end or not piece.more)) or (
            not piece.more and not last
        ):
            raise _misfit(piece, f"disagree about the end, at octet {end}")
        self._offsets.insert(place, start)
        self.found.insert(place, (piece, number))
        self._octets += end - start
        if not piece.more:
            self._end = end

    def whole(self) -> Datagram:
        """The datagram that the pieces make."""
        payload = b"".join(piece.payload for piece, _ in self.found)
        return past_extensions(self.found[0][0]._replace(payload=payload, more=False))


class Reassembly:
    """Fragments on their way to a datagram, each with the number that its source goes by."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str, str, int, int], Pieces] = {}
        self._given_up: list[Pieces] = []

    def add(
        self, datagram: Datagram, source: int, time: float = 0.0, sender: str = ""
    ) -> tuple[Datagram, tuple[int, ...]] | None:
        """The whole datagram with its sources once all fragments are here, else None.

        Pieces belong together if they agree about addresses, protocol and identification, and come
        from one sender within `LIFETIME`.

        Args:
            datagram: what came, a fragment or not.
            source: its number.
            time: when it came, in seconds.
            sender: the port that it came from, if known.

        Raises:
            PacketFault: FRAGMENT, for fragments that overlap or can't be (RFC 5722).
        """
        if not datagram.more and not datagram.offset:
            return datagram, (source,)
        key = (sender, datagram.src, datagram.dst, datagram.protocol, datagram.identification)
        pieces = self._pending.get(key)
        if pieces is not None and time - pieces.time > LIFETIME:
            self._given_up.append(self._pending.pop(key))
            pieces = None
        if pieces is None:
            pieces = self._pending[key] = Pieces(time, sender)
        try:
            pieces.add(datagram, source)
        except PacketFault:
            if not pieces.found:
                del self._pending[key]
            raise
        if not pieces.is_whole:
            return None
        del self._pending[key]
        return pieces.whole(), pieces.numbers

    def leftovers(self) -> Iterator[Pieces]:
        """The datagrams of which pieces are missing, in the order in which they began."""
        yield from self._given_up
        yield from self._pending.values()


def _misfit(piece: Datagram, what: str) -> PacketFault:
    return PacketFault(Flaw.FRAGMENT, f"fragments {piece.src} → {piece.dst} {what}")
