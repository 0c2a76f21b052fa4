# SPDX-License-Identifier: GPL-2.0-or-later
"""What a datagram may be of which a piece is missing: lost ESP is not plain text, plain text is.

Links lose frames, and of an ESP packet that IP had fragmented a part remains. Nothing can verify
it: the ICV covers all of it. So it counts as lost only if it could not well be anything else:

1. Its pieces fit: no overlap, one end, one sender, one protocol (`lab.check.proof.fragments`).
2. With its first piece: that is ESP, or ESP in UDP, of an SA that a host reports, with the SA's
   addresses and sender, and under a sequence number that no other packet has.
3. Without its first piece: it states protocol ESP in IP itself, and an SA between its addresses
   and from its sender lacks a sequence number that nothing else accounts for. Each such datagram
   takes one. Pieces of UDP without the first one may be anybody's, and are refused.
4. Each piece looks like cipher text: it is random by two measures, and long enough to judge. Text,
   headers, zeros and patterns are not. (An SA without encryption: 2 alone, as its policy wants.)

All of it is judged at the end, when every whole packet has its sequence number. IKE whose first
piece is here and states the length of more is as good as IKE that is whole, of which the header
alone is checked, too.

What this leaves open: octets that look random, in IP packets that state ESP, in the place of an ESP
packet that was lost. No receiver takes them for anything but ESP, and drops them.
"""

from __future__ import annotations

import zlib

from lab.check.proof.errors import PacketFault
from lab.check.proof.esp import HEADER, NULL
from lab.check.proof.fragments import Pieces
from lab.check.proof.model import EspPacket, Flaw
from lab.check.proof.packet import ESP, UDP, Datagram, describe
from lab.check.proof.sadb import Association, Sadb
from lab.check.proof.traffic import Classified, Kind, classify

_SHORTEST = 24
"""Octets, at least, by which random ones can be distinguished from others."""
_DEVIATIONS = 4.8
"""Standard deviations from the mean that a count of random bits stays within, but for once in
600,000 times."""
_IV = 16
"""Octets after the ESP header that are not cipher text: an IV may be a counter (RFC 4106)."""


def account(pieces: Pieces, sadb: Sadb) -> Kind:
    """Which kind of lost packet it is whose pieces these are.

    Raises:
        PacketFault: FRAGMENT (or what `classify` and `Sadb.find` refuse), if it could be anything
            that must not be on the link.
    """
    first = pieces.first
    if first is None:
        _account_without_first(pieces, sadb)
        return Kind.INCOMPLETE
    classified = classify(first)
    if classified.kind is Kind.IKE:
        return Kind.INCOMPLETE_IKE
    if classified.kind not in (Kind.ESP, Kind.ESP_IN_UDP):
        raise _refused(first, "the rest of the datagram is missing")
    association = _association(pieces, first, classified, sadb)
    if association.sa.encryption != NULL:
        start = len(first.payload) - len(classified.esp) + HEADER + _IV
        _check_random(first._replace(payload=first.payload[start:]))
        for piece, _ in pieces.found[1:]:
            _check_random(piece)
    return Kind.INCOMPLETE


def is_plain(pieces: Pieces) -> bool:
    """Whether these are pieces of neither ESP nor UDP: on red links that is normal."""
    return pieces.found[0][0].protocol not in (ESP, UDP)


def _association(
    pieces: Pieces, first: Datagram, classified: Classified, sadb: Sadb
) -> Association:
    """The SA that the first piece is of, of which it takes a sequence number."""
    esp = classified.esp
    packet = EspPacket(
        frames=pieces.numbers,
        time=pieces.time,
        sender=pieces.sender,
        src=first.src,
        dst=first.dst,
        spi=int.from_bytes(esp[:4]),
        sequence=int.from_bytes(esp[4:HEADER]),
        octets=len(esp),
        in_udp=classified.kind is Kind.ESP_IN_UDP,
    )
    association = sadb.find(packet)
    if association.sender not in ("", pieces.sender):
        raise _refused(first, f"{pieces.sender} sent it, {association.sender} the others of its SA")
    if not association.claim(packet.sequence, pieces.numbers[0]):
        reason = f"the rest is missing, and sequence number {packet.sequence} is another packet's"
        raise _refused(first, reason)
    return association


def _account_without_first(pieces: Pieces, sadb: Sadb) -> None:
    piece = pieces.found[0][0]
    if piece.protocol != ESP:
        raise _refused(piece, "the rest of the datagram is missing")
    for found, _ in pieces.found:
        _check_random(found)
    if not sadb.take_missing(piece.src, piece.dst, pieces.sender):
        raise _refused(
            piece, "no ESP packet between these addresses is missing that it could be of"
        )


def _check_random(piece: Datagram) -> None:
    octets = piece.payload
    count = len(octets)
    if count < _SHORTEST:
        raise _refused(piece, f"the rest is missing, and {count} octets can be anything")
    margin = _DEVIATIONS * count**0.5 / 2
    number = int.from_bytes(octets)
    column = int.from_bytes(b"\1" * count)
    ones = ((number >> bit & column).bit_count() for bit in range(8))
    is_even = all(abs(one - count / 2) <= margin for one in ones)
    if not is_even or len(zlib.compress(octets, 9)) < count:
        raise _refused(piece, "the rest is missing, and its octets do not look like cipher text")


def _refused(piece: Datagram, reason: str) -> PacketFault:
    return PacketFault(Flaw.FRAGMENT, f"{reason}: {describe(piece)}")
