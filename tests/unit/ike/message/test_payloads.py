# SPDX-License-Identifier: GPL-2.0-or-later
"""Each payload: its octets as the RFC draws them, and bodies that break its format."""

import pytest
from hypothesis import given

from ike.message.chain import PAYLOADS
from ike.message.errors import MalformedMessage
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
    VendorId,
)
from ike.message.reader import Reader
from ike.message.substructures import Proposal, TrafficSelector, Transform
from tests.unit.ike.message.strategies import known

AES = Transform(1, 12, 256)
SHA = Transform(3, 14)
HOST = TrafficSelector(7, 0, 0, 65535, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 1)))

LAYOUTS: list[tuple[Payload, str]] = [
    (KeyExchange(16, b"\xaa\xbb"), "0010 0000 aabb"),
    (Nonce(b"n" * 16), "6e" * 16),
    (IdInitiator(3, b"a@b"), "03 000000 614062"),
    (IdResponder(2, b"b"), "02 000000 62"),
    (Certificate(4, b"\x30\x00"), "04 3000"),
    (CertificateRequest(4, b"\x11" * 20), "04" + "11" * 20),
    (Authentication(14, b"\x01\x02"), "0e 000000 0102"),
    (Notify(16393, b"", 3, b"\xc0\0\0\1"), "03 04 4009 c0000001"),
    (Notify(16390, b"\xee"), "00 00 4006 ee"),
    (Delete(1), "01 00 0000"),
    (Delete(3, (b"\xc0\0\0\1", b"\xc0\0\0\2")), "03 04 0002 c0000001 c0000002"),
    (VendorId(b"\x01\x02"), "0102"),
    (TsInitiator((HOST,)), "01 000000 07 00 0010 0000 ffff 0a000001 0a000001"),
    (TsResponder((HOST,)), "01 000000 07 00 0010 0000 ffff 0a000001 0a000001"),
    (
        SecurityAssociation((Proposal(1, 3, b"\xc0\0\0\1", (AES, SHA)),)),
        "00 00 0020 01 03 04 02 c000000103 00 000c 01 00 000c 800e 010000 00 0008 03 00 000e",
    ),
    (
        SecurityAssociation((Proposal(1, 1, b"", (SHA,)), Proposal(2, 1, b"", (SHA,)))),
        "02 00 0010 01 01 00 01 00 00 0008 03 00 000e00 00 0010 02 01 00 01 00 00 0008 03 00 000e",
    ),
]

BROKEN: list[tuple[type[Payload], str, str]] = [
    (KeyExchange, "0010", "2 octets wanted"),
    (KeyExchange, "00100000", "no public value"),
    (Nonce, "00" * 15, "15 octets, not 16 to 256"),
    (Nonce, "00" * 257, "257 octets, not 16 to 256"),
    (IdInitiator, "0300", "3 octets wanted"),
    (Certificate, "04", "no certificate"),
    (CertificateRequest, "04" + "11" * 19, "not whole hashes"),
    (Authentication, "0e00", "3 octets wanted"),
    (Notify, "03044009c00000", "4 octets wanted"),
    (Delete, "04000000", "protocol 4"),
    (Delete, "03080001" + "00" * 8, "SPIs of 8 octets"),
    (Delete, "03040002c0000001", "2 SPIs of 4 octets do not fill 4"),
    (Delete, "03040000c0000001", "do not fill"),
    (Delete, "01000001", "SPIs for the IKE SA"),
    (TsInitiator, "00000000", "no selector"),
    (TsInitiator, "01000000", "1 octets wanted"),
    (TsInitiator, "0100000007000007", "a selector of 7 octets"),
    (TsInitiator, "01000000 07000018" + "00" * 20, "type 7 and 24 octets"),
    (TsInitiator, "01000000 070000100000ffff0a0000010a000001 00", "after the last selector"),
    (SecurityAssociation, "", "no proposal"),
    (SecurityAssociation, "02000008 01010000", "marked 2 as last"),
    (SecurityAssociation, "00000008 01010001", "1 octets wanted"),
    (SecurityAssociation, "00000007 010100", "a proposal of 7 octets"),
    (SecurityAssociation, "00000009 01010000 00", "after the last transform"),
    (SecurityAssociation, "0000000c 01010401 00000000", "1 octets wanted"),
    (SecurityAssociation, "00000010 01010001 03000008 0300000e", "marked 3 as last"),
    (SecurityAssociation, "00000010 01010001 00000007 0300000e", "a transform of 7 octets"),
    (SecurityAssociation, "00000012 01010001 0000000a 0100000c 800e", "2 octets wanted"),
    (SecurityAssociation, "00000014 01010001 0000000c 0100000c 000e0001", "1 octets wanted"),
]


@pytest.mark.parametrize(("payload", "octets"), LAYOUTS, ids=lambda value: type(value).__name__)
def test_layout(payload: Payload, octets: str) -> None:
    assert payload.encode().hex() == octets.replace(" ", "")
    assert type(payload).decode(Reader(payload.encode(), "body")) == payload


def test_every_payload_is_laid_out() -> None:
    assert {type(payload) for payload, _ in LAYOUTS} == set(PAYLOADS)


@given(known)
def test_round_trip(payload: Payload) -> None:
    assert type(payload).decode(Reader(payload.encode(), "body")) == payload


@pytest.mark.parametrize(("kind", "octets", "why"), BROKEN)
def test_broken(kind: type[Payload], octets: str, why: str) -> None:
    with pytest.raises(MalformedMessage, match=why) as caught:
        kind.decode(Reader(bytes.fromhex(octets), f"{kind.label} payload"))
    assert str(caught.value).startswith(f"{kind.label} payload")


def test_reserved_octets_are_not_looked_at() -> None:
    assert IdInitiator.decode(Reader(b"\x02\xff\xff\xffx", "IDi")) == IdInitiator(2, b"x")


def test_selectors_of_unknown_types_are_passed_over() -> None:
    octets = b"\2\0\0\0" + b"\x63\0\0\x0a\0\0\0\0\0\0" + HOST.encode()
    assert TsInitiator.decode(Reader(octets, "TSi")) == TsInitiator((HOST,))


def test_attributes_that_we_do_not_know_are_kept() -> None:
    strange = Transform(1, 12, 256, ((0x800F, b"\0\1"), (0x0010, b"long")))
    payload = SecurityAssociation((Proposal(1, 1, b"", (strange,)),))
    assert SecurityAssociation.decode(Reader(payload.encode(), "SA")) == payload


def test_encrypted_is_a_container() -> None:
    assert Encrypted.decode(Reader(b"sealed", "SK"), 35) == Encrypted(35, b"sealed")


@pytest.mark.parametrize(
    ("octets", "first", "why"),
    [
        ("0000 0002", 0, "fragment 0 of 2"),
        ("0003 0002", 0, "fragment 3 of 2"),
        ("0002 0002", 35, "names a first payload"),
        ("0001", 35, "2 octets wanted"),
    ],
)
def test_broken_fragments(octets: str, first: int, why: str) -> None:
    with pytest.raises(MalformedMessage, match=why):
        EncryptedFragment.decode(Reader(bytes.fromhex(octets), "EF"), first)


def test_fragment() -> None:
    fragment = EncryptedFragment(35, 1, 2, b"sealed")
    assert fragment.encode() == b"\0\1\0\2sealed"
    assert EncryptedFragment.decode(Reader(fragment.encode(), "EF"), 35) == fragment


def test_values_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="is a value"):
        Nonce(bytes(16)).octets = b""  # type: ignore[misc]


@pytest.mark.parametrize("arguments", [(), (b"", b"")])
def test_values_take_their_fields(arguments: tuple[bytes, ...]) -> None:
    with pytest.raises(TypeError, match="Nonce takes octets"):
        Nonce(*arguments)


def test_values_of_different_classes_differ() -> None:
    assert IdInitiator(2, b"a") != IdResponder(2, b"a")
    assert len({IdInitiator(2, b"a"), IdInitiator(2, b"a"), IdResponder(2, b"a")}) == 2
