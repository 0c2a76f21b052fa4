# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypothesis strategies for payloads and whole messages."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ike.message.chain import PAYLOADS
from ike.message.header import NO_SPI, Header
from ike.message.message import Message
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
from ike.message.substructures import Proposal, TrafficSelector, Transform

u8, u16, u32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
octets = st.binary(max_size=40)
some_octets = st.binary(min_size=1, max_size=40)
ike_spis = st.binary(min_size=8, max_size=8)
esp_spis = st.binary(min_size=4, max_size=4)

_KEY_LENGTH_TV = 0x800E
long_attributes = st.tuples(st.integers(0, 0x7FFF), octets)
short_attributes = st.tuples(
    st.integers(0x8000, 0xFFFF).filter(lambda kind: kind != _KEY_LENGTH_TV),
    st.binary(min_size=2, max_size=2),
)
transforms = st.builds(
    Transform,
    kind=u8,
    id=u16,
    key_length=st.none() | u16,
    others=st.lists(long_attributes | short_attributes, max_size=3).map(tuple),
)
proposals = st.builds(
    Proposal,
    number=u8,
    protocol=u8,
    spi=st.sampled_from([0, 4, 8]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    transforms=st.lists(transforms, max_size=5).map(tuple),
)


def _selectors(kind: int, size: int) -> SearchStrategy[TrafficSelector]:
    address = st.binary(min_size=size, max_size=size)
    return st.builds(
        TrafficSelector,
        kind=st.just(kind),
        protocol=u8,
        first_port=u16,
        last_port=u16,
        first=address,
        last=address,
    )


selectors = st.lists(_selectors(7, 4) | _selectors(8, 16), min_size=1, max_size=4).map(tuple)

BY_KIND: dict[type[Payload], SearchStrategy[Payload]] = {
    SecurityAssociation: st.builds(
        SecurityAssociation, st.lists(proposals, min_size=1, max_size=3).map(tuple)
    ),
    KeyExchange: st.builds(KeyExchange, u16, some_octets),
    IdInitiator: st.builds(IdInitiator, u8, octets),
    IdResponder: st.builds(IdResponder, u8, octets),
    Certificate: st.builds(Certificate, u8, some_octets),
    CertificateRequest: st.builds(
        CertificateRequest, st.just(4), st.sampled_from([b"", bytes(20), bytes(40)])
    ),
    Authentication: st.builds(Authentication, u8, octets),
    Nonce: st.builds(Nonce, st.binary(min_size=16, max_size=256)),
    Notify: st.builds(Notify, u16, octets, u8, st.sampled_from([b"", bytes(4), bytes(8)])),
    Delete: st.just(Delete(1))
    | st.builds(Delete, st.just(3), st.lists(esp_spis, max_size=4).map(tuple)),
    VendorId: st.builds(VendorId, octets),
    TsInitiator: st.builds(TsInitiator, selectors),
    TsResponder: st.builds(TsResponder, selectors),
}
assert set(BY_KIND) == set(PAYLOADS)

known = st.one_of(*BY_KIND.values())
_taken = {int(number) for number in PayloadType} - {PayloadType.CP, PayloadType.EAP}
unknown = st.builds(Unknown, u8.filter(lambda kind: kind not in _taken), octets)
encrypted = st.builds(Encrypted, u8, octets)
first_fragments = st.builds(EncryptedFragment, u8, st.just(1), st.integers(1, 9), octets)
other_fragments = st.builds(
    EncryptedFragment, st.just(0), st.integers(2, 9), st.integers(9, 12), octets
)

headers = st.builds(
    Header,
    spi_i=ike_spis.filter(lambda spi: spi != NO_SPI),
    spi_r=ike_spis,
    exchange=u8,
    initiator=st.booleans(),
    response=st.booleans(),
    message_id=u32,
)
chains = st.lists(known | unknown, max_size=6)
ends: st.SearchStrategy[list[Payload]] = st.just(list[Payload]()) | st.lists(
    encrypted | first_fragments | other_fragments, min_size=1, max_size=1
)
messages = st.builds(
    lambda header, chain, end: Message(header, (*chain, *end)), headers, chains, ends
)
