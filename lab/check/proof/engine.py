# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof itself: one pass over the frames, whose time and memory grow with their number alone.

1. Each frame is ARP, or an IP packet or fragment of one, or foreign.
2. Each whole datagram is permitted (`traffic`) or plaintext.
3. Each ESP packet is opened with its SA (`sadb`, `esp`): SPI, addresses, ICV, padding, sequence.
4. What was inside a good ESP packet is an IP packet, or in tunnel mode a fragment of one (`inner`).
5. Of a datagram with a piece missing it is judged whether it can be anything but lost ESP (`lost`).
6. Each message that was sent is found in one such packet of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lab.check.proof import lost
from lab.check.proof.datagram import read_ip
from lab.check.proof.errors import PacketFault
from lab.check.proof.esp import HEADER, Opened
from lab.check.proof.fragments import Pieces, Reassembly
from lab.check.proof.inner import Mailbag, check_checksum, unwrap
from lab.check.proof.model import Echo, EspPacket, Failure, Flaw, Frame, Sa, Verdict
from lab.check.proof.packet import Datagram
from lab.check.proof.sadb import Association, Sadb
from lab.check.proof.traffic import Kind, classify

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
    examination = _Examination(Sadb(sas), Mailbag(messages), red=red)
    for frame in frames:
        examination.examine(frame)
    return examination.conclude()


class _Examination:
    def __init__(self, sadb: Sadb, messages: Mailbag, *, red: bool) -> None:
        self._sadb = sadb
        self._messages = messages
        self._red = red
        self._frames = 0
        self._fragments = Reassembly()
        self._esp: list[EspPacket] = []
        self._inner_fragments = Reassembly()
        self._other: Counter[Kind] = Counter()
        self._failures: list[Failure] = list(sadb.conflicts)

    def examine(self, frame: Frame) -> None:
        self._frames += 1
        try:
            self._examine_frame(frame)
        except PacketFault as fault:
            self._fail(fault, frame.number)

    def conclude(self) -> Verdict:
        # Those with their first piece come first: they say which sequence number they take.
        incomplete = sorted(self._fragments.leftovers(), key=lambda pieces: pieces.first is None)
        for pieces in incomplete:
            self._account(pieces)
        inside = sum(1 for _ in self._inner_fragments.leftovers())
        if inside:
            self._other[Kind.INCOMPLETE_INSIDE] = inside
        deliveries = self._messages.deliveries(self._esp)
        self._failures += (one.failure for one in deliveries if one.failure)
        if not self._messages and not self._esp:
            reason = "nothing is proved: no message was sent and no ESP packet seen"
            self._failures.append(Failure(Flaw.NOTHING, reason))
        return Verdict(
            frames=self._frames,
            esp=tuple(self._esp),
            deliveries=deliveries,
            other={str(kind): count for kind, count in sorted(self._other.items())},
            failures=tuple(self._failures),
        )

    def _fail(self, fault: PacketFault, frame: int, where: str = "") -> Failure:
        failure = Failure(fault.flaw, f"frame {frame}{where}: {fault.reason}", frame)
        self._failures.append(failure)
        return failure

    def _account(self, pieces: Pieces) -> None:
        try:
            self._other[lost.account(pieces, self._sadb)] += 1
        except PacketFault as fault:
            if self._red and lost.is_plain(pieces):
                self._other[Kind.PLAINTEXT] += len(pieces.found)
            else:
                self._fail(fault, pieces.numbers[0])

    def _examine_frame(self, frame: Frame) -> None:
        octets = frame.octets
        ethertype = int.from_bytes(octets[12:_ETHERNET_HEADER])
        if ethertype == _ARP_ETHERTYPE:
            self._other[Kind.ARP] += 1
            return
        if ethertype not in _IP_ETHERTYPES:
            raise PacketFault(
                Flaw.FOREIGN,
                f"neither IP nor ARP: EtherType {ethertype:#06x}, {len(octets)} octets",
            )
        datagram = read_ip(octets, _ETHERNET_HEADER)
        if datagram.version != _IP_ETHERTYPES[ethertype]:
            raise PacketFault(Flaw.MALFORMED, f"IPv{datagram.version}, EtherType {ethertype:#06x}")
        whole = self._fragments.add(datagram, frame.number, frame.time, frame.sender)
        if whole:
            self._examine_datagram(whole[0], whole[1], frame)

    def _examine_datagram(self, datagram: Datagram, frames: tuple[int, ...], frame: Frame) -> None:
        try:
            kind, octets = classify(datagram)
        except PacketFault as fault:
            if self._red and fault.flaw is Flaw.PLAINTEXT:
                self._other[Kind.PLAINTEXT] += 1
                return
            self._messages.in_clear(datagram, frames[0])
            raise
        if kind is not Kind.ESP and kind is not Kind.ESP_IN_UDP:
            self._other[kind] += 1
            return
        packet = EspPacket(
            frames,
            frame.time,
            frame.sender,
            datagram.src,
            datagram.dst,
            int.from_bytes(octets[:4]),
            int.from_bytes(octets[4:HEADER]),
            len(octets),
            kind is Kind.ESP_IN_UDP,
        )
        self._esp.append(self._open(packet, datagram, octets, frame))

    def _open(self, packet: EspPacket, outer: Datagram, octets: bytes, frame: Frame) -> EspPacket:
        """The packet with what became of it; the steps stand in the receiver's order."""
        is_opened = False
        alone = frame.octets if len(packet.frames) == 1 else b""
        try:
            association = self._sadb.find(packet)
            opened = _opened_twice(association, packet, octets, alone)
            is_opened = True
            association.check_sequence(packet)
            inner = unwrap(outer, association.sa.mode, opened)
            whole = inner and self._inner_fragments.add(inner, len(self._esp), packet.time)
            if whole:
                association.check_inside(whole[0])
                check_checksum(whole[0])
                if self._messages.carried(*whole):  # it will be shown
                    association.sample.compare(packet, octets, alone, opened)
            elif inner:
                association.check_inside(inner)
        except PacketFault as fault:
            where = f", SPI {packet.spi:#010x} sequence number {packet.sequence}"
            failure = self._fail(fault, packet.frames[0], where)
            icv_ok = is_opened or fault.flaw is Flaw.PADDING
            return packet._replace(icv_ok=icv_ok, decrypted=is_opened, failure=failure)
        return packet._replace(icv_ok=True, decrypted=True, inner=inner)


def _opened_twice(
    association: Association, packet: EspPacket, octets: bytes, frame: bytes
) -> Opened:
    """The contents of an ESP packet; if it is in the sample, scapy agrees about them.

    Raises:
        PacketFault: as `Opener.open`, and DISAGREEMENT.
    """
    sample = association.sample
    try:
        opened = association.open(octets)
    except PacketFault as fault:
        if fault.flaw in (Flaw.ICV, Flaw.PADDING) and sample.takes(None):
            sample.compare(packet, octets, frame, None)
        raise
    if sample.takes(opened):
        sample.compare(packet, octets, frame, opened)
    return opened
