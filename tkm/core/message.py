# SPDX-License-Identifier: GPL-2.0-or-later
"""A reader of the IKE messages that AUTH covers (RFC 7296, 3.1 and 3.2): what is signed was read.

The caller says what it wants signed, or says the peer has signed. It is taken only if it is the
IKE_SA_INIT message of this very IKE SA: the header, a chain of payloads that ends where the message
ends, and in it the key exchange and the nonce that went into the keys. So a signature of the TKM
under another protocol's message does not exist. What other payloads hold is the IKE daemon's
business, and with the SPIs it can make of the message a certificate besides; so what is signed is
also none of the values of ASN.1, of which all such documents are one (:func:`check_one_meaning`).
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from tkm.errors import InvalidParameter
from tkm.rpc.wipe import Buffer

_HEADER: Final = struct.Struct(">8s8sBBBBII")
"""SPIs, next payload, version, exchange type, flags, message id, length (RFC 7296, 3.1)."""
_GENERIC: Final = struct.Struct(">BBH")
"""Next payload, critical bit, length (3.2)."""
_KE: Final = struct.Struct(">HH")
"""Method, reserved (3.4)."""

VERSION: Final = 0x20
IKE_SA_INIT: Final = 34
IKE_INTERMEDIATE: Final = 43
_INITIATOR: Final = 0x08
_RESPONSE: Final = 0x20
_CRITICAL: Final = 0x80
_NO_SPI: Final = bytes(8)

_SA, _KE_PAYLOAD, _CERTREQ, _NONCE, _NOTIFY, _VENDOR, _SK = 33, 34, 38, 40, 41, 43, 46
_ALLOWED: Final = {_SA, _KE_PAYLOAD, _CERTREQ, _NONCE, _NOTIFY, _VENDOR}
"""Payloads of RFC 7296 that IKE_SA_INIT may have (1.2, 3.7, 3.10, 3.12)."""
_DEFINED: Final = range(33, 49)
"""Payload types of RFC 7296."""
_ONCE: Final = (_SA, _KE_PAYLOAD, _NONCE)
_NONCES: Final = range(16, 257)
"""Octets of a nonce (3.9)."""


class Half(NamedTuple):
    """What one side has put into IKE_SA_INIT.

    :ivar method: of its key exchange.
    """

    spi: bytes
    method: int
    public_value: bytes
    nonce: bytes


class Payload(NamedTuple):
    """A payload without its generic header."""

    type: int
    is_critical: bool
    body: Buffer
    next: int


def check_init(message: bytes, sender: Half, other: Half, *, by_initiator: bool) -> None:
    """Check that this is the IKE_SA_INIT message of one side of an IKE SA.

    The initiator's request has no SPI of the responder yet, whichever of its requests was the last
    one: with a cookie (2.6), or with the group that the responder wanted (1.2).

    :raises InvalidParameter: it is something else.
    """
    spis = (sender.spi, _NO_SPI) if by_initiator else (other.spi, sender.spi)
    first = _read_header(message, IKE_SA_INIT, spis, 0, by_initiator=by_initiator)
    found: dict[int, Buffer] = {}
    for payload in _payloads(message, _HEADER.size, first):
        known = payload.type in _DEFINED
        if payload.type not in _ALLOWED and (known or payload.is_critical):
            raise InvalidParameter(f"payload {payload.type} does not belong into IKE_SA_INIT")
        if payload.type in _ONCE and payload.type in found:
            raise InvalidParameter(f"payload {payload.type} is there twice")
        found[payload.type] = payload.body
    for kind in _ONCE:
        if kind not in found:
            raise InvalidParameter(f"there is no payload {kind}")
    if len(found[_NONCE]) not in _NONCES or found[_NONCE] != sender.nonce:
        raise InvalidParameter("the nonce is not the one that went into the keys")
    exchange = found[_KE_PAYLOAD]
    if len(exchange) < _KE.size or exchange[_KE.size :] != sender.public_value:
        raise InvalidParameter("the public value is not the one that went into the keys")
    method, _reserved = _KE.unpack_from(exchange)
    if method != sender.method:
        raise InvalidParameter(f"key exchange method {method} is not {sender.method}")


def check_one_meaning(octets: bytes) -> None:
    """Check that what is to be signed is an IKE message alone, and not one value of ASN.1 as well.

    Certificates, requests for them, revocation lists and the like are signed as one value that goes
    from the first octet to the last. An IKE message begins with two SPIs and then the type of a
    payload, all chosen by the caller; whether they are the tag and the length of all that follows
    is decided here, for every tag and every form of length (X.690, 8.1.2 and 8.1.3).

    :param octets: all of them, from the IKE header on.
    :raises InvalidParameter: they are.
    """
    at = 1
    if octets[0] & 0x1F == 0x1F:  # a long tag: the version, 0x20, ends the longest
        while octets[at] & 0x80:
            at += 1
        at += 1
    length, at = octets[at], at + 1
    if length == 0x80:  # indefinite: two zeros end it
        is_one = octets.endswith(b"\0\0")
    else:
        if length > 0x80:
            further = length & 0x7F
            length, at = int.from_bytes(octets[at : at + further], "big"), at + further
        is_one = at + length == len(octets)
    if is_one:
        raise InvalidParameter("the message reads as ASN.1, too: other SPIs are needed")


def check_intermediate(
    message: Buffer, spis: tuple[bytes, bytes], number: int, *, by_initiator: bool
) -> None:
    """Check that this is an IKE_INTERMEDIATE message, as AUTH covers it (RFC 9242, 3.3.2).

    That is the message as if it were not encrypted: an Encrypted payload at its end whose content
    is the payloads inside.

    :param spis: the initiator's and the responder's.
    :param number: the message id it has to have; the first one is 1.
    :raises InvalidParameter: it is something else.
    """
    first = _read_header(message, IKE_INTERMEDIATE, spis, number, by_initiator=by_initiator)
    last = None
    for last in _payloads(message, _HEADER.size, first, until=_SK):
        if last.type != _SK and (last.type in _DEFINED or last.is_critical):
            raise InvalidParameter(f"payload {last.type} is not protected")
    if last is None or last.type != _SK:
        raise InvalidParameter("there is no Encrypted payload")
    for _ in _payloads(last.body, 0, last.next):
        pass  # it ends exactly


def _read_header(
    message: Buffer, exchange: int, spis: tuple[bytes, bytes], number: int, *, by_initiator: bool
) -> int:
    """The type of the first payload."""
    if len(message) < _HEADER.size:
        raise InvalidParameter(f"{len(message)} octets are not an IKE message")
    spi_i, spi_r, first, version, kind, flags, message_id, length = _HEADER.unpack_from(message)
    rules = (
        ((spi_i, spi_r) == spis, "the SPIs are not those of this IKE SA"),
        (version == VERSION, f"version {version:#04x} is not {VERSION:#04x}"),
        (kind == exchange, f"exchange type {kind} is not {exchange}"),
        (flags == (_INITIATOR if by_initiator else _RESPONSE), f"flags {flags:#04x} are wrong"),
        (message_id == number, f"message id {message_id} is not {number}"),
        (length == len(message), f"{length} octets announced, {len(message)} given"),
    )
    for is_kept, fault in rules:
        if not is_kept:
            raise InvalidParameter(fault)
    return int(first)


def _payloads(octets: Buffer, at: int, kind: int, until: int = 0) -> Iterator[Payload]:
    """The chain of payloads from ``at``, whose first is of type ``kind``, to the octets' end.

    :param until: a type that ends the chain, whatever it names as the next one.
    """
    while kind:
        if len(octets) - at < _GENERIC.size:
            raise InvalidParameter("the chain of payloads is cut off")
        following, bits, length = _GENERIC.unpack_from(octets, at)
        if not _GENERIC.size <= length <= len(octets) - at:
            raise InvalidParameter(f"a payload of {length} octets does not fit")
        body = octets[at + _GENERIC.size : at + length]
        yield Payload(kind, bool(bits & _CRITICAL), body, following)
        at += length
        if kind == until:
            break
        kind = following
    if at != len(octets):
        raise InvalidParameter(f"{len(octets) - at} octets follow the last payload")
