# SPDX-License-Identifier: GPL-2.0-or-later
"""The SAs that the hosts report, found by destination and SPI, and what each has sent so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from lab.check.proof.errors import PacketFault
from lab.check.proof.esp import HEADER, Opened, Opener
from lab.check.proof.model import EspPacket, Failure, Flaw, Sa
from lab.check.proof.opinion import Sample
from lab.check.proof.packet import Datagram, describe

Network = IPv4Network | IPv6Network


class Association:
    """One SA: its keys, and the sequence numbers that were seen."""

    def __init__(self, sa: Sa) -> None:
        self.sa = sa
        self.sample = Sample(sa)
        self.sender = ""
        """The port that its packets come from, once one was verified."""
        self._opener: Opener | None = None
        self._seen: dict[int, int] = {}
        self._latest = 0
        self._taken = 0
        self._allowed: set[tuple[str, str]] = set()
        """Ends of packets that its policies were found to let it carry."""
        self._policies: list[list[tuple[Network, Network]]] = []
        """What each host that reports the SA lets it carry."""

    def report(self, sa: Sa) -> None:
        """Notes what a host that reports this SA lets it carry."""
        if sa.selectors:
            self._policies.append([(ip_network(a), ip_network(b)) for a, b in sa.selectors])

    def open(self, octets: bytes) -> Opened:
        """The contents of an ESP packet. Raises PacketFault as Opener does."""
        # Made on first use: an SA that can't be checked is a flaw only if it is used.
        self._opener = self._opener or Opener(self.sa)
        return self._opener.open(octets)

    def check_sequence(self, packet: EspPacket) -> None:
        """Notes a packet whose ICV is right. Raises PacketFault (REPLAY, SEQUENCE, WRONG_SENDER).

        A sender starts at 1 and counts up (RFC 4303, section 2.2). Numbers may be left out:
        nothing says that each packet reached the link.
        """
        sequence = packet.sequence
        if sequence in self._seen:
            raise PacketFault(
                Flaw.REPLAY,
                f"replay: frame {self._seen[sequence]} had sequence number {sequence} already",
            )
        self._seen[sequence] = packet.frames[0]
        if sequence <= self._latest:
            raise PacketFault(
                Flaw.SEQUENCE, f"sequence number {sequence} comes after {self._latest}"
            )
        self._latest = sequence
        self.sender = self.sender or packet.sender
        if packet.sender != self.sender:
            raise PacketFault(
                Flaw.WRONG_SENDER,
                f"{packet.sender or 'an unknown port'} sent it, {self.sender} the earlier ones",
            )

    def claim(self, sequence: int, frame: int) -> bool:
        """Give a sequence number to a packet that is not whole; False: it has one already."""
        if sequence == 0 or sequence in self._seen:
            return False
        self._seen[sequence] = frame
        return True

    def take_missing(self) -> bool:
        """Take one of the numbers up to the latest that no packet has; False: there is none left.

        Which one is not known, so they are counted: those of packets that are not whole may lie
        above the latest, which makes the count smaller, never larger.
        """
        if self._latest - len(self._seen) - self._taken < 1:
            return False
        self._taken += 1
        return True

    def check_inside(self, inner: Datagram) -> None:
        """Raises PacketFault (OUTSIDE_POLICY) for a packet that this SA is not there for.

        RFC 4301, section 5.2, step 4.
        """
        key = (inner.src, inner.dst)
        if key in self._allowed:
            return
        ends = ip_address(inner.src), ip_address(inner.dst)
        for policy in self._policies:
            if not any(ends[0] in source and ends[1] in target for source, target in policy):
                allowed = " or ".join(f"{source} → {target}" for source, target in policy)
                reason = f"{describe(inner)} was inside, where only {allowed} may be"
                raise PacketFault(Flaw.OUTSIDE_POLICY, reason)
        self._allowed.add(key)


class Sadb:
    """All SAs. Both ends report each: `conflicts` are those about which they disagree."""

    def __init__(self, sas: Iterable[Sa]) -> None:
        self._associations: dict[int, dict[str, Association]] = defaultdict(dict)
        """By SPI and destination."""
        self.conflicts: list[Failure] = []
        for sa in sas:
            association = self._associations[sa.spi].setdefault(sa.dst, Association(sa))
            association.report(sa)
            known = association.sa
            if _secrets(known) != _secrets(sa):
                hosts = " and ".join(filter(None, (known.host, sa.host))) or "two hosts"
                reason = f"{hosts} report different keys or algorithms for {_name(sa.dst, sa.spi)}"
                self.conflicts.append(Failure(Flaw.KEYS_DIFFER, reason))

    def find(self, packet: EspPacket) -> Association:
        """The SA of an ESP packet. Raises PacketFault (MALFORMED, UNKNOWN_SPI, WRONG_ADDRESS).

        Behind a NAT the addresses on the link are nobody's but the translator's, so in UDP the
        SPI alone decides.
        """
        if packet.octets < HEADER:
            raise PacketFault(Flaw.MALFORMED, f"{packet.octets} octets are too few for ESP")
        same_spi = self._associations.get(packet.spi, {})
        found = same_spi.get(packet.dst)
        if packet.in_udp:
            found = found or next(iter(same_spi.values()), None)
        if found is None:
            hint = f"; one to {', '.join(sorted(same_spi))} has that SPI" if same_spi else ""
            raise PacketFault(
                Flaw.UNKNOWN_SPI, f"no host reports {_name(packet.dst, packet.spi)}{hint}"
            )
        if not packet.in_udp and found.sa.src != packet.src:
            raise PacketFault(
                Flaw.WRONG_ADDRESS, f"it comes from {packet.src}, the SA is from {found.sa.src}"
            )
        return found

    def take_missing(self, src: str, dst: str, sender: str) -> bool:
        """Take a sequence number that no packet has, of an SA between two addresses.

        To be called when all other packets are known: an SA that lacks none is not asked again.

        Returns:
            False: no SA that `sender` sends on lacks one.
        """
        lacking = self._by_sender.get((src, dst, sender), [])
        while lacking:
            if lacking[-1].take_missing():
                return True
            lacking.pop()
        return False

    @cached_property
    def _by_sender(self) -> dict[tuple[str, str, str], list[Association]]:
        """The SAs by source, destination and port that their packets come from."""
        found: dict[tuple[str, str, str], list[Association]] = defaultdict(list)
        for same_spi in self._associations.values():
            for one in same_spi.values():
                found[one.sa.src, one.sa.dst, one.sender].append(one)
        return found


def _name(dst: str, spi: int) -> str:
    return f"an SA with SPI {spi:#010x} to {dst}"


def _secrets(sa: Sa) -> tuple[object, ...]:
    return (
        *("" if sa.in_udp else sa.src, sa.mode, sa.encryption, sa.encryption_key, sa.esn),
        *(sa.integrity, sa.integrity_key, sa.icv_bits),
    )
