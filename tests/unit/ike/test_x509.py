# SPDX-License-Identifier: GPL-2.0-or-later
"""Three fields of a certificate, against cryptography's reading of them."""

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ike.x509 import Certificate, in_order
from lab.pki import CA
from tests.unit.trusted import pki


def test_fields() -> None:
    der = pki().certificates["alice"]
    reference = x509.load_der_x509_certificate(der)
    certificate = Certificate.read(der)
    key = reference.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert certificate.der == der
    assert certificate.issuer == reference.issuer.public_bytes()
    assert certificate.subject == reference.subject.public_bytes()
    assert certificate.key_hash == hashlib.sha1(key).digest()


def test_a_chain_is_put_in_order() -> None:
    root = CA("root")
    middle = root.create_child_ca("middle")
    low = middle.create_child_ca("low")
    chain = low.issue_cert("host").chain
    host, *issuers = (Certificate.read(each.der) for each in chain)
    top = Certificate.read(root.root.certificate.der).subject
    stranger = Certificate.read(pki().certificates["bob"])
    ordered = in_order(host, [stranger, *issuers], top)
    assert [each.der for each in ordered] == [each.der for each in reversed(chain)]
    assert in_order(host, [], top) == [host]


def test_a_loop_ends() -> None:
    one = Certificate(b"1", b"two", b"one", b"")
    two = Certificate(b"2", b"one", b"two", b"")
    assert in_order(one, [two, one], b"top") == [one, two, one]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x31\x00",
        b"\x30\x02\x30\x00",
        b"\x30\x80",
        b"\x30\x85\0\0\0\0\0",
    ],
)
def test_no_certificate(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"certificate|element|length"):
        Certificate.read(octets)


@given(st.data())
def test_whatever_it_is_it_is_read_or_refused(data: st.DataObject) -> None:
    octets = bytearray(pki().certificates["alice"])
    for _ in range(3):
        octets[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    try:
        Certificate.read(bytes(octets))
    except ValueError as error:
        reason = str(error)
    else:
        reason = ""
    assert reason == "" or reason[0].islower()
