# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof itself: one pass over the frames, then the messages are looked for in what was found.

1. Each frame is ARP, or an IP packet or fragment of one, or foreign.
2. Each whole datagram is permitted (`traffic`) or plaintext.
3. Each ESP packet is opened with its SA (`sadb`, `esp`): SPI, addresses, ICV, padding, sequence.
4. What was inside a good ESP packet is an IP packet, or in tunnel mode a fragment of one (`inner`).
5. Each message that was sent is found in one such packet of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from lab.proof.datagram import Datagram, Reassembly, read_ip
from lab.proof.errors import PacketFault
from lab.proof.esp import HEADER
from lab.proof.inner import Carried, check_checksum, find_deliveries, unwrap
from lab.proof.model import Echo, EspPacket, Failure, Flaw, Frame, InnerPacket, Sa, Verdict
from lab.proof.sadb import Sadb
from lab.proof.traffic import Classified, Kind, classify, describe

_ETHERNET_HEADER = 14
_IP_ETHERTYPES = {0x0800: 4, 0x86DD: 6}
_ARP_ETHERTYPE = 0x0806


def verify(
    frames: Iterable[Frame], sas: Iterable[Sa], messages: Iterable[Echo], *, red: bool = False
) -> Verdict:
    """What the frames of one link prove, given the SAs and what was sent.

    On a `red` link plain text is normal: one that lies inside a network that ESP protects outside.

    `sas` are those of all hosts, past ones included: an SA that is gone can't be checked. The
    verdict refuses, with the reasons, and never raises for anything that was on the link.
    """
    examination = _Examination(Sadb(sas), red=red)
    for frame in frames:
        examination.examine(frame)
    return examination.conclude(tuple(messages))


class _Examination:
    def __init__(self, sadb: Sadb, *, red: bool) -> None:
        self._sadb = sadb
        self._red = red
        self._frames: dict[int, Frame] = {}
        self._fragments = Reassembly()
        self._esp: list[EspPacket] = []
        self._inner_fragments = Reassembly()
        self._carried: list[Carried] = []
        self._in_clear: dict[int, Datagram] = {}
        self._other: Counter[Kind] = Counter()
        self._failures: list[Failure] = list(sadb.conflicts)

    def examine(self, frame: Frame) -> None:
        self._frames[frame.number] = frame
        try:
            self._examine_frame(frame)
        except PacketFault as fault:
            self._fail(fault, frame.number)

    def conclude(self, messages: tuple[Echo, ...]) -> Verdict:
        self._fail_leftovers()
        deliveries = find_deliveries(messages, self._carried, self._esp, self._in_clear)
        self._failures += (one.failure for one in deliveries if one.failure)
        if not messages and not self._esp:
            reason = "nothing is proved: no message was sent and no ESP packet seen"
            self._failures.append(Failure(Flaw.NOTHING, reason))
        return Verdict(
            frames=len(self._frames),
            esp=tuple(self._esp),
            deliveries=deliveries,
            other={str(kind): count for kind, count in sorted(self._other.items())},
            failures=tuple(self._failures),
        )

    def _fail(self, fault: PacketFault, frame: int, where: str = "") -> Failure:
        failure = Failure(fault.flaw, f"frame {frame}{where}: {fault.reason}", frame)
        self._failures.append(failure)
        return failure

    def _fail_leftovers(self) -> None:
        for piece, number in self._fragments.leftovers():
            reason = f"the rest of the datagram is missing: {describe(piece)}"
            self._fail(PacketFault(Flaw.FRAGMENT, reason), number)
        for piece, index in self._inner_fragments.leftovers():
            reason = f"the rest of the inner packet is missing: {describe(piece)}"
            self._fail(PacketFault(Flaw.FRAGMENT, reason), self._esp[index].frames[0])

    def _examine_frame(self, frame: Frame) -> None:
        ethertype = int.from_bytes(frame.octets[12:_ETHERNET_HEADER])
        if ethertype == _ARP_ETHERTYPE:
            self._other[Kind.ARP] += 1
            return
        if ethertype not in _IP_ETHERTYPES:
            raise PacketFault(
                Flaw.FOREIGN,
                f"neither IP nor ARP: EtherType {ethertype:#06x}, {len(frame.octets)} octets",
            )
        datagram = read_ip(frame.octets[_ETHERNET_HEADER:])
        if datagram.version != _IP_ETHERTYPES[ethertype]:
            raise PacketFault(Flaw.MALFORMED, f"IPv{datagram.version}, EtherType {ethertype:#06x}")
        whole = self._fragments.add(datagram, frame.number)
        if whole:
            self._examine_datagram(*whole)

    def _examine_datagram(self, datagram: Datagram, frames: tuple[int, ...]) -> None:
        try:
            classified = classify(datagram)
        except PacketFault as fault:
            if self._red and fault.flaw is Flaw.PLAINTEXT:
                self._other[Kind.PLAINTEXT] += 1
                return
            self._in_clear[frames[0]] = datagram
            raise
        if classified.kind in (Kind.ESP, Kind.ESP_IN_UDP):
            self._examine_esp(datagram, classified, frames)
        else:
            self._other[classified.kind] += 1

    def _examine_esp(
        self, datagram: Datagram, classified: Classified, frames: tuple[int, ...]
    ) -> None:
        first = self._frames[frames[0]]
        packet = EspPacket(
            frames=frames,
            time=first.time,
            sender=first.sender,
            src=datagram.src,
            dst=datagram.dst,
            spi=int.from_bytes(classified.esp[:4]),
            sequence=int.from_bytes(classified.esp[4:HEADER]),
            octets=len(classified.esp),
            in_udp=classified.kind is Kind.ESP_IN_UDP,
        )
        self._esp.append(self._open(packet, datagram, classified.esp))

    def _open(self, packet: EspPacket, outer: Datagram, octets: bytes) -> EspPacket:
        """The packet with what became of it; the steps stand in the receiver's order."""
        try:
            association = self._sadb.find(packet)
            opened = association.open(octets)
            packet = replace(packet, icv_ok=True, decrypted=True)
            association.check_sequence(packet)
            inner = unwrap(outer, association.sa.mode, opened)
            whole = inner and self._inner_fragments.add(inner, len(self._esp))
            if whole:
                association.check_inside(whole[0])
                check_checksum(whole[0])
                self._carried.append(Carried(*whole))
        except PacketFault as fault:
            where = f", SPI {packet.spi:#010x} sequence number {packet.sequence}"
            failure = self._fail(fault, packet.frames[0], where)
            icv_ok = packet.icv_ok or fault.flaw is Flaw.PADDING
            return replace(packet, icv_ok=icv_ok, failure=failure)
        return replace(packet, inner=_show(inner) if inner else None)


def _show(inner: Datagram) -> InnerPacket:
    return InnerPacket(inner.src, inner.dst, inner.protocol, inner.payload, describe(inner))
