# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom a certificate speaks for."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from lab.pki import CA
from tests.unit.tkm.chains import BOB, DAY, NOW, bob, der, judge, of, root, with_extensions
from tests.unit.trusted import identity, pki
from tkm.certs import path
from tkm.certs.identity import speaks_for
from tkm.errors import CertificateError


def old_style(ca: CA, *attributes: tuple[x509.ObjectIdentifier, str]) -> bytes:
    """A certificate without subjectAltName."""
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject)
        .public_key(pki().keys["bob"].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    return der(builder.sign(ca.key.rsa, hashes.SHA256()))


@pytest.mark.parametrize(
    ("names", "accepted"),
    [
        ((BOB,), True),
        (("x.example", BOB), True),
        ((BOB.upper().replace("BOB", "bob"),), True),
        (("Bob@tkm-lab.test",), False),
        (("bob@tkm-lab.test.example",), False),
        (("ob@tkm-lab.test",), False),
        (("bobb@tkm-lab.test",), False),
        (("tkm-lab.test",), False),
        (("*@tkm-lab.test",), False),
        ((identity("alice"),), False),
    ],
)
def test_the_identity_equals_a_name(names: Any, accepted: bool) -> None:
    ca = root()
    if accepted:
        judge(of(ca), bob(ca, *names))
    else:
        with pytest.raises(CertificateError, match=f"does not speak for '{BOB}'"):
            judge(of(ca), bob(ca, *names))


def test_the_common_name_does_not_count_beside_a_subject_alt_name() -> None:
    ca = root()
    with pytest.raises(CertificateError, match="does not speak for"):
        judge(of(ca), bob(ca, "carol@tkm-lab.test", common_name=BOB))


@pytest.mark.parametrize(
    ("attributes", "accepted"),
    [
        ([(NameOID.COMMON_NAME, BOB)], True),
        ([(NameOID.EMAIL_ADDRESS, BOB)], True),
        ([(NameOID.ORGANIZATION_NAME, BOB), (NameOID.COMMON_NAME, "bob")], False),
        ([(NameOID.COMMON_NAME, f"not {BOB}")], False),
        ([(NameOID.COMMON_NAME, f"{BOB}, CN=carol")], False),
    ],
)
def test_old_certificates_have_it_in_the_subject(attributes: Any, accepted: bool) -> None:
    ca = root()
    if accepted:
        judge(of(ca), old_style(ca, *attributes))
    else:
        with pytest.raises(CertificateError, match="does not speak for"):
            judge(of(ca), old_style(ca, *attributes))


def test_a_domain_is_no_address_and_an_address_no_domain() -> None:
    ca = root()
    certificate = path.load(bob(ca, "gw.example.org", "bob@example.org"))
    assert speaks_for(certificate, "GW.example.ORG")
    assert speaks_for(certificate, "bob@EXAMPLE.org")
    assert not speaks_for(certificate, "example.org")
    names = x509.SubjectAlternativeName([x509.DNSName("eve@example.org")])
    forged = path.load(with_extensions(ca, (names, False)))
    assert not speaks_for(forged, "eve@example.org")
