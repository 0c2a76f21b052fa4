# SPDX-License-Identifier: GPL-2.0-or-later
"""What was inside ESP, and which of the messages that were sent it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from scapy.utils import checksum

from lab.proof.datagram import Datagram, read_ip
from lab.proof.errors import PacketFault
from lab.proof.esp import DUMMY, Opened
from lab.proof.model import Delivery, Echo, EspPacket, Failure, Flaw, Mode
from lab.proof.traffic import ECHO, ICMP, ICMPV6

_IP_IN_IP = {4: 4, 41: 6}
"""Next header in tunnel mode → IP version."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A whole packet that good ESP carried."""

    datagram: Datagram
    by: tuple[int, ...]
    """The indices of the ESP packets that held it."""


def unwrap(outer: Datagram, mode: Mode, opened: Opened) -> Datagram | None:
    """The packet inside ESP, None for a dummy packet (RFC 4303, section 2.6).

    Transport mode: the outer addresses with the inner protocol. Tunnel mode: an IP packet of its
    own, whose length may leave room for traffic-flow padding (section 2.7). Raises PacketFault
    (INNER).
    """
    if opened.next_header == DUMMY:
        return None
    if mode is Mode.TRANSPORT:
        return replace(outer, protocol=opened.next_header, payload=opened.data)
    version = _IP_IN_IP.get(opened.next_header)
    try:
        inner = read_ip(opened.data)
    except PacketFault as fault:
        raise PacketFault(Flaw.INNER, f"the inner packet: {fault.reason}") from fault
    if inner.version != version:
        raise PacketFault(
            Flaw.INNER,
            f"next header {opened.next_header} in tunnel mode, inside is {inner.version}",
        )
    return inner


def check_checksum(datagram: Datagram) -> None:
    """Raises PacketFault (INNER) for an ICMP message whose checksum is wrong."""
    covered = datagram.payload
    if datagram.protocol == ICMPV6:
        addresses = ip_address(datagram.src).packed + ip_address(datagram.dst).packed
        covered = addresses + len(covered).to_bytes(4) + bytes((0, 0, 0, ICMPV6)) + covered
    if datagram.protocol in ECHO and checksum(covered):
        raise PacketFault(Flaw.INNER, "the inner packet's ICMP checksum is wrong")


def find_deliveries(
    messages: Sequence[Echo],
    carried: Sequence[Carried],
    esp: Sequence[EspPacket],
    in_clear: Mapping[int, Datagram],
) -> tuple[Delivery, ...]:
    """For each message the ESP packets that carried it, or why there are none.

    A carried packet accounts for one message: what was sent twice must be carried twice.
    """
    free = [(echo, one.by) for one in carried if (echo := _read_echo(one.datagram))]
    clear = {number: _read_echo(datagram) for number, datagram in in_clear.items()}
    return tuple(_find(message, free, esp, clear) for message in messages)


def _find(
    message: Echo,
    free: list[tuple[Echo, tuple[int, ...]]],
    esp: Sequence[EspPacket],
    clear: Mapping[int, Echo | None],
) -> Delivery:
    for position, (echo, by) in enumerate(free):
        if echo == message:
            del free[position]
            return Delivery(message, tuple(esp[index] for index in by))
    for echo, by in free:
        if replace(echo, payload=message.payload) == message:
            reason = f"{message}: ESP in frame {esp[by[0]].frames[0]} carried other octets"
            return Delivery(message, failure=Failure(Flaw.ALTERED, reason, esp[by[0]].frames[0]))
    frame = next((number for number, echo in clear.items() if echo == message), None)
    where = "" if frame is None else f"; frame {frame} had it in the clear"
    reason = f"{message}: no good ESP packet carried it{where}"
    return Delivery(message, failure=Failure(Flaw.MISSING, reason, frame))


def _read_echo(datagram: Datagram) -> Echo | None:
    # An ICMP echo in IPv6, or the other way round, is answered by nobody.
    if (datagram.version, datagram.protocol) not in ((4, ICMP), (6, ICMPV6)):
        return None
    request, reply = ECHO[datagram.protocol]
    octets = datagram.payload
    if len(octets) < 8 or octets[0] not in (request, reply) or octets[1] != 0:
        return None
    return Echo(
        datagram.src,
        datagram.dst,
        identifier=int.from_bytes(octets[4:6]),
        sequence=int.from_bytes(octets[6:8]),
        payload=octets[8:],
        is_reply=octets[0] == reply,
    )
