# SPDX-License-Identifier: GPL-2.0-or-later
"""What was inside ESP, and which of the messages that were sent it is."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple, TypeVar

from lab.check.proof.datagram import read_ip
from lab.check.proof.errors import PacketFault
from lab.check.proof.esp import DUMMY, Opened
from lab.check.proof.model import Delivery, Echo, EspPacket, Failure, Flaw, Mode
from lab.check.proof.packet import ECHO, ICMP, ICMPV6, Datagram

T = TypeVar("T")

_IP_IN_IP = {4: 4, 41: 6}
"""Next header in tunnel mode → IP version."""


def unwrap(outer: Datagram, mode: Mode, opened: Opened) -> Datagram | None:
    """The packet inside ESP, None for a dummy packet (RFC 4303, section 2.6).

    Transport mode: the outer addresses with the inner protocol. Tunnel mode: an IP packet of its
    own, whose length may leave room for traffic-flow padding (section 2.7).

    Raises:
        PacketFault: INNER.
    """
    next_header, data = opened
    if next_header == DUMMY:
        return None
    if mode is Mode.TRANSPORT:
        return Datagram(outer.version, outer.src, outer.dst, next_header, outer.hop_limit, data)
    version = _IP_IN_IP.get(next_header)
    try:
        inner = read_ip(data)
    except PacketFault as fault:
        raise PacketFault(Flaw.INNER, f"the inner packet: {fault.reason}") from fault
    if inner.version != version:
        raise PacketFault(
            Flaw.INNER, f"next header {next_header} in tunnel mode, inside is {inner.version}"
        )
    return inner


def check_checksum(datagram: Datagram) -> None:
    """Compare an ICMP message with its checksum (RFC 1071); of anything else, nothing.

    Raises:
        PacketFault: INNER.
    """
    if datagram.protocol not in ECHO:
        return
    covered = datagram.payload
    if datagram.protocol == ICMPV6:
        addresses = ip_address(datagram.src).packed + ip_address(datagram.dst).packed
        covered = addresses + len(covered).to_bytes(4) + bytes((0, 0, 0, ICMPV6)) + covered
    # The sum of 16-bit words in one's complement is the number that all octets make, modulo 65535.
    number = int.from_bytes(covered + bytes(len(covered) % 2))
    if number == 0 or number % 0xFFFF:
        raise PacketFault(Flaw.INNER, "the inner packet's ICMP checksum is wrong")


class Key(NamedTuple):
    """What distinguishes echo messages before their octets are looked at."""

    src: str
    dst: str
    is_reply: bool
    identifier: int
    sequence: int


class Mailbag:
    """The messages that were sent, and the packets in which they are met.

    A carried packet accounts for one message: what was sent twice must be carried twice. All but
    these messages is forgotten at once, so neither time nor memory grows with other traffic.
    """

    def __init__(self, messages: Iterable[Echo]) -> None:
        self._messages = tuple(messages)
        keys = {_key(message) for message in self._messages}
        self._carried: dict[Key, list[tuple[bytes, tuple[int, ...]]]] = {key: [] for key in keys}
        self._in_clear: dict[Key, list[tuple[bytes, int]]] = {key: [] for key in keys}

    def __len__(self) -> int:
        return len(self._messages)

    def carried(self, datagram: Datagram, by: tuple[int, ...]) -> bool:
        """Note a whole packet that good ESP carried; whether it may be a message.

        Args:
            datagram: the packet.
            by: the indices of the ESP packets that held it.
        """
        return _note(self._carried, datagram, by)

    def in_clear(self, datagram: Datagram, frame: int) -> None:
        """Note a datagram that was in plain text on the link."""
        _note(self._in_clear, datagram, frame)

    def deliveries(self, esp: list[EspPacket]) -> tuple[Delivery, ...]:
        """For each message the ESP packets that carried it, or why there are none."""
        return tuple(self._find(message, esp) for message in self._messages)

    def _find(self, message: Echo, esp: list[EspPacket]) -> Delivery:
        found = self._carried[_key(message)]
        for position, (payload, by) in enumerate(found):
            if payload == message.payload:
                del found[position]
                return Delivery(message, tuple(esp[index] for index in by))
        for _, by in found:
            frame = esp[by[0]].frames[0]
            reason = f"{message}: ESP in frame {frame} carried other octets"
            return Delivery(message, failure=Failure(Flaw.ALTERED, reason, frame))
        clear = self._in_clear[_key(message)]
        seen = next((number for payload, number in clear if payload == message.payload), None)
        where = "" if seen is None else f"; frame {seen} had it in the clear"
        reason = f"{message}: no good ESP packet carried it{where}"
        return Delivery(message, failure=Failure(Flaw.MISSING, reason, seen))


def _key(message: Echo) -> Key:
    return Key(message.src, message.dst, message.is_reply, message.identifier, message.sequence)


def _note(found: dict[Key, list[tuple[bytes, T]]], datagram: Datagram, where: T) -> bool:
    # An ICMP echo in IPv6, or the other way round, is answered by nobody.
    if (datagram.version, datagram.protocol) not in ((4, ICMP), (6, ICMPV6)):
        return False
    request, reply = ECHO[datagram.protocol]
    octets = datagram.payload
    if len(octets) < 8 or octets[0] not in (request, reply) or octets[1] != 0:
        return False
    identifier, sequence = int.from_bytes(octets[4:6]), int.from_bytes(octets[6:8])
    messages = found.get(Key(datagram.src, datagram.dst, octets[0] == reply, identifier, sequence))
    if messages is None:
        return False
    messages.append((octets[8:], where))
    return True
