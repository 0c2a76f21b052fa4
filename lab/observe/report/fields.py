# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields of IKE's header and payloads: their names, values, and sections of RFCs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from ipaddress import ip_address
from typing import Any, NamedTuple

from ike.message import numbers, payloads
from ike.message.header import Header
from ike.message.numbers import name
from ike.message.substructures import Proposal, TrafficSelector, Transform


class Field(NamedTuple):
    """A field of a payload."""

    name: str
    value: str
    section: str
    """Where it is specified."""


class Explained(NamedTuple):
    """A payload for readers."""

    title: str
    section: str
    fields: tuple[Field, ...]


_TRANSFORMS: dict[int, type[IntEnum]] = {
    numbers.TransformType.ENCR: numbers.Encryption,
    numbers.TransformType.PRF: numbers.Prf,
    numbers.TransformType.INTEG: numbers.Integrity,
    numbers.TransformType.KE: numbers.KeMethod,
    numbers.TransformType.ESN: numbers.Esn,
}
_ADDITIONAL_KE = range(numbers.TransformType.ADDKE1, numbers.TransformType.ADDKE7 + 1)
_TEXT_IDS = (numbers.IdType.FQDN, numbers.IdType.RFC822_ADDR)
_ADDRESS_IDS: dict[int, int] = {numbers.IdType.IPV4_ADDR: 4, numbers.IdType.IPV6_ADDR: 16}
_NAT_D = (
    numbers.NotifyType.NAT_DETECTION_SOURCE_IP,
    numbers.NotifyType.NAT_DETECTION_DESTINATION_IP,
)
_NOTIFY_SECTIONS: dict[int, str] = {
    **dict.fromkeys(_NAT_D, "RFC 7296, 2.23"),
    numbers.NotifyType.COOKIE: "RFC 7296, 2.6",
    numbers.NotifyType.USE_TRANSPORT_MODE: "RFC 7296, 1.3.1",
    numbers.NotifyType.REKEY_SA: "RFC 7296, 1.3.3",
    numbers.NotifyType.INITIAL_CONTACT: "RFC 7296, 2.4",
    numbers.NotifyType.FRAGMENTATION_SUPPORTED: "RFC 7383, 2.3",
    numbers.NotifyType.SIGNATURE_HASH_ALGORITHMS: "RFC 7427, 4",
    numbers.NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED: "RFC 9242, 3.1",
    numbers.NotifyType.ADDITIONAL_KEY_EXCHANGE: "RFC 9370, 2.2.4",
    numbers.NotifyType.STATE_NOT_FOUND: "RFC 9370, 2.2.4",
}
"""Notify type -> where it is specified, if not in the list of RFC 7296, section 3.10.1."""
_ANY_PORTS = (0, 65535)
_SHOWN = 64
"""Octets of a field that are shown; all of them are below its payload."""


def header_fields(header: Header) -> tuple[Field, ...]:
    """The fields of the IKE header."""
    section = "RFC 7296, 3.1"
    exchange = name(numbers.ExchangeType, header.exchange)
    return (
        Field("Initiator's SPI", header.spi_i.hex(), section),
        Field("Responder's SPI", header.spi_r.hex(), section),
        Field("Exchange type", f"{exchange} ({header.exchange})", section),
        Field("Flag I", "the IKE SA's original initiator" * header.initiator or "0", section),
        Field("Flag R", "a response" if header.response else "a request", section),
        Field("Message ID", str(header.message_id), "RFC 7296, 2.2"),
    )


def explain(payload: payloads.Payload) -> Explained:
    """A payload's title and fields; of one that is unknown, its octets."""
    title, section, read = _EXPLAINED.get(type(payload), _UNKNOWN)
    return Explained(title, section, tuple(read(payload)))


def _security_association(payload: Any) -> Iterator[Field]:
    for proposal in payload.proposals:
        yield _proposal(proposal)
        yield from map(_transform, proposal.transforms)


def _proposal(proposal: Proposal) -> Field:
    protocol = name(numbers.Protocol, proposal.protocol)
    spi = f", SPI {proposal.spi.hex()}" if proposal.spi else ""
    return Field(f"Proposal {proposal.number}", f"{protocol}{spi}", "RFC 7296, 3.3.1")


def _transform(transform: Transform) -> Field:
    kind = transform.kind
    registry = numbers.KeMethod if kind in _ADDITIONAL_KE else _TRANSFORMS.get(kind)
    value = name(registry, transform.id) if registry else f"({transform.id})"
    bits = f", {transform.key_length} bits" if transform.key_length else ""
    others = "".join(f", attribute {number}" for number, _ in transform.others)
    section = "RFC 9370, 2.2.1" if kind in _ADDITIONAL_KE else "RFC 7296, 3.3.2"
    label = f"Transform {name(numbers.TransformType, kind)}"
    return Field(label, f"{value}{bits}{others}", section)


def _key_exchange(payload: Any) -> Iterator[Field]:
    section = "RFC 7296, 3.4"
    yield Field("Key exchange method", name(numbers.KeMethod, payload.method), section)
    yield _octets("Public value", payload.public_value, section)


def _identification(payload: Any) -> Iterator[Field]:
    section = "RFC 7296, 3.5"
    yield Field("ID type", name(numbers.IdType, payload.kind), section)
    yield Field("Identity", _identity(payload.kind, payload.data), section)


def _identity(kind: int, data: bytes) -> str:
    if kind in _TEXT_IDS:
        return data.decode(errors="replace")
    if _ADDRESS_IDS.get(kind) == len(data):
        return str(ip_address(data))
    return data.hex()


def _certificate(payload: Any) -> Iterator[Field]:
    section = "RFC 7296, 3.6"
    yield Field("Encoding", name(numbers.CertEncoding, payload.encoding), section)
    yield _octets("Certificate", payload.data, section)


def _certificate_request(payload: Any) -> Iterator[Field]:
    section = "RFC 7296, 3.7"
    yield Field("Encoding", name(numbers.CertEncoding, payload.encoding), section)
    for start in range(0, len(payload.authorities), 20):
        yield Field("Hash of a CA's key", payload.authorities[start : start + 20].hex(), section)


def _authentication(payload: Any) -> Iterator[Field]:
    digital = payload.method == 14
    section = "RFC 7427, 3" if digital else "RFC 7296, 3.8"
    yield Field("Auth method", "Digital Signature" if digital else str(payload.method), section)
    yield _octets("Authentication data", payload.data, section)


def _nonce(payload: Any) -> Iterator[Field]:
    yield _octets("Nonce data", payload.octets, "RFC 7296, 3.9")


def _notify(payload: Any) -> Iterator[Field]:
    where = _NOTIFY_SECTIONS.get(payload.kind, "RFC 7296, 3.10.1")
    yield Field("Notify type", f"{name(numbers.NotifyType, payload.kind)} ({payload.kind})", where)
    if payload.protocol:
        protocol = name(numbers.Protocol, payload.protocol)
        yield Field("Protocol ID", protocol, "RFC 7296, 3.10")
    if payload.spi:
        yield Field("SPI", payload.spi.hex(), "RFC 7296, 3.10")
    if payload.data:
        yield _octets("Notification data", payload.data, where)


def _delete(payload: Any) -> Iterator[Field]:
    section = "RFC 7296, 3.11"
    yield Field("Protocol ID", name(numbers.Protocol, payload.protocol), section)
    for spi in payload.spis:
        yield Field("SPI", spi.hex(), section)
    if not payload.spis:
        yield Field("SPI", "none: this very IKE SA", section)


def _vendor_id(payload: Any) -> Iterator[Field]:
    yield _octets("Vendor ID", payload.octets, "RFC 7296, 3.12")


def _traffic_selectors(payload: Any) -> Iterator[Field]:
    for selector in payload.selectors:
        yield Field("Traffic selector", _selector(selector), "RFC 7296, 3.13.1")


def _selector(selector: TrafficSelector) -> str:
    first, last = ip_address(selector.first), ip_address(selector.last)
    protocol = f"IP protocol {selector.protocol}" if selector.protocol else "any protocol"
    bounds = (selector.first_port, selector.last_port)
    ports = "all ports" if bounds == _ANY_PORTS else f"ports {bounds[0]} to {bounds[1]}"
    return f"{first} to {last}, {protocol}, {ports}"


def _encrypted(payload: Any) -> Iterator[Field]:
    section = "RFC 7296, 3.14"
    yield Field("First payload inside", name(numbers.PayloadType, payload.first), section)
    yield _octets("IV, ciphertext, ICV", payload.protected, section)


def _encrypted_fragment(payload: Any) -> Iterator[Field]:
    section = "RFC 7383, 2.5"
    yield Field("Fragment", f"{payload.number} of {payload.total}", section)
    if payload.first:
        yield Field("First payload inside", name(numbers.PayloadType, payload.first), section)
    yield _octets("IV, ciphertext, ICV", payload.protected, section)


def _unknown(payload: Any) -> Iterator[Field]:
    yield _octets("Octets", payload.encode(), "RFC 7296, 3.2")


def _octets(label: str, octets: bytes, section: str) -> Field:
    shown = octets[:_SHOWN].hex(" ", -4) + " …" * (len(octets) > _SHOWN)
    return Field(f"{label}, {len(octets)} octets", shown, section)


_Reader = Callable[[Any], Iterator[Field]]
_UNKNOWN: tuple[str, str, _Reader] = ("Payload of an unknown type", "RFC 7296, 2.5", _unknown)
_EXPLAINED: dict[type[payloads.Payload], tuple[str, str, _Reader]] = {
    payloads.SecurityAssociation: (
        "Security Association",
        "RFC 7296, 3.3",
        _security_association,
    ),
    payloads.KeyExchange: ("Key Exchange", "RFC 7296, 3.4", _key_exchange),
    payloads.IdInitiator: ("Identification, initiator", "RFC 7296, 3.5", _identification),
    payloads.IdResponder: ("Identification, responder", "RFC 7296, 3.5", _identification),
    payloads.Certificate: ("Certificate", "RFC 7296, 3.6", _certificate),
    payloads.CertificateRequest: ("Certificate Request", "RFC 7296, 3.7", _certificate_request),
    payloads.Authentication: ("Authentication", "RFC 7296, 3.8", _authentication),
    payloads.Nonce: ("Nonce", "RFC 7296, 3.9", _nonce),
    payloads.Notify: ("Notify", "RFC 7296, 3.10", _notify),
    payloads.Delete: ("Delete", "RFC 7296, 3.11", _delete),
    payloads.VendorId: ("Vendor ID", "RFC 7296, 3.12", _vendor_id),
    payloads.TsInitiator: ("Traffic Selectors, initiator", "RFC 7296, 3.13", _traffic_selectors),
    payloads.TsResponder: ("Traffic Selectors, responder", "RFC 7296, 3.13", _traffic_selectors),
    payloads.Encrypted: ("Encrypted and Authenticated", "RFC 7296, 3.14", _encrypted),
    payloads.EncryptedFragment: ("Encrypted Fragment", "RFC 7383, 2.5", _encrypted_fragment),
}
