# SPDX-License-Identifier: GPL-2.0-or-later
"""ESP SAs over time, and each ESP packet with its verdict."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lab.check.proof import EspPacket, Sa
from lab.client.status import LogLine
from lab.observe.report.lanes import Lane, lane_of

_CHANGE = re.compile(r"(Adding|Deleting) ESA \[.*SPI_in ([0-9A-F]+), SPI_out ([0-9A-F]+)")


class PacketView(NamedTuple):
    """An ESP packet with its verdict."""

    time: float
    link: str
    sender: str
    sequence: int
    octets: int
    verdict: str
    """"verified", or why not."""
    ok: bool
    inside: str
    """The packet that it carried, in words."""


class SaView(NamedTuple):
    """One direction of a Child SA."""

    target: str
    """Its id on the page."""
    source: str
    destination: str
    spi: str
    suite: str
    mode: str
    begin: float | None
    """When it was installed or, if no log reports that, first used; None: not known."""
    end: float | None
    """When it was deleted; None: it is still there, or no log reports it."""
    packets: tuple[PacketView, ...]


Key = tuple[str, int]
"""Destination and SPI: what an SA is found by (RFC 4301, section 4.1)."""


class Database:
    """The SAs that kernels report, each once though both of its ends do."""

    def __init__(self, sas: Iterable[Sa]) -> None:
        self.known: dict[Key, Sa] = {(sa.dst, sa.spi): sa for sa in sas}
        self._in_udp: dict[int, Key] = {
            spi: (dst, spi) for (dst, spi), sa in self.known.items() if sa.in_udp
        }

    def key(self, packet: EspPacket) -> Key:
        """The SA of a packet; a NAT gateway may have given it another destination."""
        key = (packet.dst, packet.spi)
        return key if key in self.known else self._in_udp.get(packet.spi, key)

    def target(self, packet: EspPacket) -> str:
        """The id of its SA on the page."""
        return _target(self.key(packet))


def _target(key: Key) -> str:
    return f"sa-{key[0]}-{key[1]:08x}"


def sa_views(
    database: Database,
    packets: Mapping[str, Sequence[EspPacket]],
    logs: Iterable[LogLine],
    addresses: Mapping[str, str],
) -> list[SaView]:
    """The SAs by time, with their packets; packets of unknown SAs come with an SA of their own.

    Args:
        database: the SAs.
        packets: by link.
        logs: of the Key Managers, which report when an SA begins and ends.
        addresses: address -> host.
    """
    lives = _lives(logs)
    carried: dict[Key, list[PacketView]] = defaultdict(list)
    sources: dict[Key, str] = {}
    for link, its in packets.items():
        for packet in its:
            key = database.key(packet)
            carried[key].append(_packet(link, packet))
            sources.setdefault(key, packet.src)
    views = []
    for dst, spi in dict.fromkeys((*database.known, *carried)):
        sa = database.known.get((dst, spi))
        seen = sorted(carried[dst, spi])
        begin, end = lives.get(f"{spi:08x}", (None, None))
        source = sa.src if sa else sources[dst, spi]
        views.append(
            SaView(
                target=_target((dst, spi)),
                source=addresses.get(source, source),
                destination=addresses.get(dst, dst),
                spi=f"{spi:08x}",
                suite=_suite(sa),
                mode=str(sa.mode) if sa else "",
                begin=begin if begin is not None or not seen else seen[0].time,
                end=end,
                packets=tuple(seen),
            )
        )
    return sorted(views, key=lambda view: (view.begin is None, view.begin or 0, view.spi))


def _suite(sa: Sa | None) -> str:
    if sa is None:
        return "no kernel has reported this SA"
    suite = f"{sa.encryption} {sa.integrity}".strip()
    return f"{suite}, ICV {sa.icv_bits} bits" + ", ESN" * sa.esn + ", in UDP" * sa.in_udp


def _lives(logs: Iterable[LogLine]) -> dict[str, tuple[float | None, float | None]]:
    """SPI -> when the first of its ends added it, when the last one deleted it."""
    lives: dict[str, tuple[float | None, float | None]] = {}
    for line in logs:
        change = _CHANGE.match(line.message) if lane_of(line.daemon) is Lane.TKM else None
        if change is None:
            continue
        for written in change[2], change[3]:
            spi = written.lower().zfill(8)
            begin, end = lives.get(spi, (None, None))
            if change[1] == "Adding":
                lives[spi] = (line.time if begin is None else begin, end)
            else:
                lives[spi] = (begin, line.time)
    return lives


def _packet(link: str, packet: EspPacket) -> PacketView:
    failure = packet.failure
    return PacketView(
        packet.time,
        link,
        packet.sender,
        packet.sequence,
        packet.octets,
        f"{failure.flaw}: {failure.reason}" if failure else "verified",
        failure is None,
        packet.inner.text if packet.inner else "",
    )
