# SPDX-License-Identifier: GPL-2.0-or-later
"""Payloads in a row, each of which names the type of the next (RFC 7296, 3.2)."""

from collections.abc import Iterator, Sequence
from struct import Struct

from ike.message.errors import UnsupportedCriticalPayload
from ike.message.numbers import PayloadType
from ike.message.payloads import (
    Authentication,
    Certificate,
    CertificateRequest,
    Delete,
    Encrypted,
    EncryptedFragment,
    IdInitiator,
    IdResponder,
    KeyExchange,
    Nonce,
    Notify,
    Payload,
    SecurityAssociation,
    TsInitiator,
    TsResponder,
    Unknown,
    VendorId,
)
from ike.message.reader import Reader

PAYLOADS: tuple[type[Payload], ...] = (
    SecurityAssociation,
    KeyExchange,
    IdInitiator,
    IdResponder,
    Certificate,
    CertificateRequest,
    Authentication,
    Nonce,
    Notify,
    Delete,
    VendorId,
    TsInitiator,
    TsResponder,
)
"""The payloads that we know, containers aside."""

_BY_TYPE: dict[int, type[Payload]] = {payload.type: payload for payload in PAYLOADS}
_CONTAINERS: dict[int, type[Encrypted | EncryptedFragment]] = {
    Encrypted.type: Encrypted,
    EncryptedFragment.type: EncryptedFragment,
}
_PASSED_OVER = frozenset({PayloadType.CP, PayloadType.EAP})
"""Types of RFC 7296 that we do without: their critical flag is ignored (2.5)."""
_GENERIC = Struct(">BBH")
_CRITICAL = 0x80
GENERIC_HEADER = _GENERIC.size
_MOST_PAYLOADS = 256
"""In a message: far more than any needs, far fewer than 64 KiB could hold."""


def type_of(payload: Payload) -> int:
    """The number that the payload before it carries."""
    return payload.kind if isinstance(payload, Unknown) else payload.type


def generic_header(following: int, body: int) -> bytes:
    """A payload's generic header.

    Args:
        following: Type of the next payload.
        body: Length of the body in octets.
    """
    return _GENERIC.pack(following, 0, GENERIC_HEADER + body)


def encode_chain(payloads: Sequence[Payload]) -> tuple[int, bytes]:
    """The type of the first payload, and the octets of all."""
    octets = []
    following = 0
    for payload in reversed(payloads):
        body = payload.encode()
        if isinstance(payload, Encrypted | EncryptedFragment):
            following = payload.first
        octets.append(generic_header(following, len(body)) + body)
        following = type_of(payload)
    return following, b"".join(reversed(octets))


def decode_chain(first: int, octets: bytes) -> tuple[Payload, ...]:
    """The payloads in ``octets``, of which the first is of type ``first``.

    Raises:
        MalformedMessage: A payload breaks the format, or does not end where it should.
        UnsupportedCriticalPayload: A critical one is of unknown type.
    """
    reader = Reader(octets, "message")
    payloads: list[Payload] = []
    kind = first
    while kind != PayloadType.NONE:
        following, flags, length = _GENERIC.unpack(reader.take(GENERIC_HEADER))
        if length < GENERIC_HEADER:
            raise reader.fail(f"a payload of type {kind} and {length} octets")
        body = reader.take(length - GENERIC_HEADER)
        if container := _CONTAINERS.get(kind):
            payloads.append(container.decode(Reader(body, container.label), following))
            break
        if len(payloads) == _MOST_PAYLOADS:
            raise reader.fail(f"more than {_MOST_PAYLOADS} payloads")
        payloads.append(_decode_one(kind, body, critical=bool(flags & _CRITICAL)))
        kind = following
    if len(reader):
        raise reader.fail(f"{len(reader)} octets after the last payload")
    return tuple(payloads)


def glance(first: int, octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of payloads without decoding them.

    Raises:
        MalformedMessage: They do not end where they should, or there are too many.
    """
    reader, kind = Reader(octets, "message"), first
    for _ in range(_MOST_PAYLOADS):
        if kind == PayloadType.NONE:
            return
        following, _, length = _GENERIC.unpack(reader.take(GENERIC_HEADER))
        if length < GENERIC_HEADER:
            break
        yield kind, reader.take(length - GENERIC_HEADER)
        kind = following
    raise reader.fail("its payloads are impossible")


def _decode_one(kind: int, body: bytes, *, critical: bool) -> Payload:
    payload = _BY_TYPE.get(kind)
    if payload:
        return payload.decode(Reader(body, f"{payload.label} payload"))
    if critical and kind not in _PASSED_OVER:
        raise UnsupportedCriticalPayload(
            f"critical payload of unknown type {kind}", data=bytes((kind,))
        )
    return Unknown(kind, body)
