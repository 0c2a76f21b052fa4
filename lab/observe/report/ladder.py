# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE messages in order, each opened as far as the lab allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ike.message.chain import decode_chain, glance
from ike.message.errors import PeerError
from ike.message.header import Header
from ike.message.message import Message
from ike.message.payloads import Encrypted, EncryptedFragment, Payload
from lab.observe.report.fields import Explained, Field, explain, header_fields
from lab.observe.report.ike_keys import Opener
from lab.observe.report.wire import IkePacket

_GENERIC_HEADER = 4
CLOSED = "The encrypted part is shown as the wire has it: no key of this IKE SA is known here."
OPENED = "The encrypted part was opened with the IKE keys that this lab exposes."
REPEATED = "The same octets were sent before: a retransmission."
_GATHERED = "fragments received so far"


class PayloadView(NamedTuple):
    """A payload of a message."""

    label: str
    """As log lines call it."""
    about: Explained
    octets: bytes
    """Of its body, as received."""
    was_encrypted: bool


class MessageView(NamedTuple):
    """An IKE datagram: a message, or a fragment of one."""

    time: float
    source: str
    """The host that sent it, or its address if no host has it."""
    destination: str
    links: tuple[str, ...]
    ports: tuple[int, int]
    title: str
    """As the daemon's log has it: exchange, message ID, payloads."""
    header: tuple[Field, ...]
    payloads: tuple[PayloadView, ...]
    note: str
    octets: bytes


_Key = tuple[bytes, bytes, bool, bool, int]
"""SPIs, flags I and R, and message ID: what the fragments of a message have in common."""
_Inside = tuple[tuple[PayloadView, ...] | None, str]
"""Payloads, None if they are not to be had, and a note about that."""


def ladder(
    packets: Iterable[IkePacket], addresses: Mapping[str, str], opener: Opener
) -> list[MessageView]:
    """The messages in the order of their packets; what cannot be decoded is shown with the reason.

    Args:
        packets: by time.
        addresses: address -> host.
        opener: knows the keys.
    """
    reading = _Reading(addresses, opener)
    return [reading.view(packet) for packet in packets]


class _Reading:
    def __init__(self, addresses: Mapping[str, str], opener: Opener) -> None:
        self._addresses = addresses
        self._opener = opener
        self._fragments: dict[_Key, dict[int, tuple[int, bytes]]] = {}
        """Of each message the fragments that were opened: number -> first payload, octets."""
        self._seen: set[bytes] = set()

    def view(self, packet: IkePacket) -> MessageView:
        repeated = packet.octets in self._seen
        self._seen.add(packet.octets)
        try:
            message = Message.decode(packet.octets)
            outer = _views(message.payloads, packet.octets, encrypted=False)
            inner, note = self._inside(message, packet.octets)
        except PeerError as fault:
            return self._view(packet, f"not an IKE message: {fault}")
        shown = (*outer, *(inner or ()))
        title = _title(message, inner)
        notes = " ".join(filter(None, (REPEATED * repeated, note)))
        return self._view(packet, title, header_fields(message.header), shown, notes)

    def _view(
        self,
        packet: IkePacket,
        title: str,
        header: tuple[Field, ...] = (),
        payloads: tuple[PayloadView, ...] = (),
        note: str = "",
    ) -> MessageView:
        return MessageView(
            packet.time,
            self._addresses.get(packet.src, packet.sender or packet.src),
            self._addresses.get(packet.dst, packet.dst),
            packet.links,
            packet.ports,
            title,
            header,
            payloads,
            note,
            packet.octets,
        )

    def _inside(self, message: Message, octets: bytes) -> _Inside:
        """The payloads inside the encrypted part, and how it was opened."""
        part = message.payloads[-1] if message.payloads else None
        if not isinstance(part, Encrypted | EncryptedFragment):
            return None, ""
        plain = self._opener.open(message.header, octets, part.protected)
        if plain is None:
            return None, CLOSED
        if isinstance(part, Encrypted):
            return _chain(part.first, plain), OPENED
        return self._fragment(message.header, part, plain)

    def _fragment(self, header: Header, part: EncryptedFragment, plain: bytes) -> _Inside:
        key = (header.spi_i, header.spi_r, header.initiator, header.response, header.message_id)
        pieces = self._fragments.setdefault(key, {})
        pieces[part.number] = (part.first, plain)
        if len(pieces) < part.total:
            return None, f"{OPENED} {len(pieces)} of {part.total} {_GATHERED}."
        whole = b"".join(octets for _, (_, octets) in sorted(pieces.items()))
        first = next((first for first, _ in pieces.values() if first), 0)
        del self._fragments[key]
        return _chain(first, whole), f"{OPENED} The message is whole with this fragment."


def _chain(first: int, octets: bytes) -> tuple[PayloadView, ...]:
    bodies = [body for _, body in glance(first, octets)]
    return _paired(decode_chain(first, octets), bodies, encrypted=True)


def _views(
    payloads: tuple[Payload, ...], octets: bytes, *, encrypted: bool
) -> tuple[PayloadView, ...]:
    return _paired(payloads, list(_bodies(payloads, octets)), encrypted=encrypted)


def _bodies(payloads: tuple[Payload, ...], octets: bytes) -> Iterator[bytes]:
    """The body of each payload; the lengths in generic headers lead from one to the next."""
    start = Header.LENGTH
    for _ in payloads:
        length = int.from_bytes(octets[start + 2 : start + _GENERIC_HEADER])
        yield octets[start + _GENERIC_HEADER : start + length]
        start += length


def _paired(
    payloads: tuple[Payload, ...], bodies: list[bytes], *, encrypted: bool
) -> tuple[PayloadView, ...]:
    return tuple(
        PayloadView(payload.summary(), explain(payload), body, encrypted)
        for payload, body in zip(payloads, bodies, strict=True)
    )


def _title(message: Message, inner: tuple[PayloadView, ...] | None) -> str:
    if inner is None:
        return str(message)
    head = str(message).partition(" [")[0]
    return f"{head} [ {' '.join(view.label for view in inner)} ]"
