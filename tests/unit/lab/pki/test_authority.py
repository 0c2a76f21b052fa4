# SPDX-License-Identifier: GPL-2.0-or-later
"""What the CA says about whom, checked with cryptography's own eyes."""

from __future__ import annotations

import datetime as dt
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from lab.pki import CA, Certificate, PkiError

from .conftest import Pki

USAGES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
]
Extension = TypeVar("Extension", bound=x509.ExtensionType)


def extension(certificate: Certificate, kind: type[Extension]) -> Extension:
    return certificate.x509.extensions.get_extension_for_class(kind).value


def usages(certificate: Certificate) -> set[str]:
    usage = extension(certificate, x509.KeyUsage)
    return {name for name in USAGES if getattr(usage, name)}


def test_each_is_signed_by_the_one_above(pki: Pki) -> None:
    for child, issuer in (
        (pki.root.certificate, pki.root),
        (pki.issuing.certificate, pki.root),
        (pki.alice.certificate, pki.root),
        (pki.bob.certificate, pki.issuing),
    ):
        child.x509.verify_directly_issued_by(issuer.certificate.x509)
    with pytest.raises(ValueError, match="does not match"):
        pki.bob.certificate.x509.verify_directly_issued_by(pki.root.certificate.x509)


def test_the_chain_holds_the_intermediates_and_not_the_root(pki: Pki) -> None:
    assert pki.alice.chain == ()
    assert pki.bob.chain == (pki.issuing.certificate,)
    assert pki.issuing.root is pki.root
    third = pki.issuing.create_child_ca("third", key=pki.bob.key.rsa)
    assert third.chain == (third.certificate, pki.issuing.certificate)


def test_rsa_3072_sha256_pkcs1(pki: Pki) -> None:
    for certificate in (pki.root.certificate, pki.issuing.certificate, pki.bob.certificate):
        public = certificate.x509.public_key()
        assert isinstance(public, RSAPublicKey)
        assert public.key_size == 3072
        assert public.public_numbers().e == 65537
        assert isinstance(certificate.x509.signature_hash_algorithm, hashes.SHA256)
        assert isinstance(certificate.x509.signature_algorithm_parameters, padding.PKCS1v15)


def test_a_ca_may_only_issue_and_a_host_may_only_sign(pki: Pki) -> None:
    for ca in (pki.root, pki.issuing):
        assert extension(ca.certificate, x509.BasicConstraints) == x509.BasicConstraints(True, None)
        assert usages(ca.certificate) == {"key_cert_sign", "crl_sign"}
    host = pki.alice.certificate
    assert extension(host, x509.BasicConstraints) == x509.BasicConstraints(False, None)
    assert usages(host) == {"digital_signature"}
    for kind in (x509.BasicConstraints, x509.KeyUsage):
        assert host.x509.extensions.get_extension_for_class(kind).critical


def test_key_identifiers_link_the_chain(pki: Pki) -> None:
    def own(certificate: Certificate) -> bytes:
        return extension(certificate, x509.SubjectKeyIdentifier).digest

    def issuers(certificate: Certificate) -> bytes | None:
        return extension(certificate, x509.AuthorityKeyIdentifier).key_identifier

    assert issuers(pki.root.certificate) == own(pki.root.certificate)
    assert issuers(pki.issuing.certificate) == own(pki.root.certificate)
    assert issuers(pki.bob.certificate) == own(pki.issuing.certificate)
    assert own(pki.bob.certificate) != own(pki.issuing.certificate)


def test_serial_numbers_differ(pki: Pki) -> None:
    certificates = (pki.root, pki.issuing, pki.alice, pki.bob)
    assert len({c.certificate.x509.serial_number for c in certificates}) == 4


def test_the_kind_of_name_follows_the_identity(pki: Pki, key: RSAPrivateKey) -> None:
    both = pki.root.issue_cert("a.b@tkm-lab.test", "gw.tkm-lab.test", key=key)
    assert list(extension(both.certificate, x509.SubjectAlternativeName)) == [
        x509.RFC822Name("a.b@tkm-lab.test"),
        x509.DNSName("gw.tkm-lab.test"),
    ]
    assert both.names == ("a.b@tkm-lab.test", "gw.tkm-lab.test")
    assert both.certificate.subject == "CN=a.b@tkm-lab.test,O=tkm-lab"


def test_a_name_too_long_for_a_common_name_is_an_alternative_name_only(
    pki: Pki, key: RSAPrivateKey
) -> None:
    name = f"{'h' * 60}.tkm-lab.test"
    certificate = pki.root.issue_cert(name, key=key).certificate
    assert certificate.subject == "O=tkm-lab"
    assert list(extension(certificate, x509.SubjectAlternativeName)) == [x509.DNSName(name)]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "@@tkm-lab.test",
        "alice@",
        "alice@@tkm-lab.test",
        "al ice@tkm-lab.test",
        "alice..b@tkm-lab.test",
        "alice.tkm-lab.test\n",
        "-alice.test",
        "alice..test",
        "alice.test.",
        "älice.test",
        "*.tkm-lab.test",
        "192.168.0",
        "a" * 64,
        ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_identity_is_refused(pki: Pki, key: RSAPrivateKey, name: str) -> None:
    with pytest.raises(PkiError, match="is not an identity"):
        pki.root.issue_cert(name, key=key)


def test_a_certificate_for_nobody_is_refused(pki: Pki, key: RSAPrivateKey) -> None:
    with pytest.raises(PkiError, match="at least one name"):
        pki.root.issue_cert(key=key)


@pytest.mark.parametrize("name", ["", "two\nlines", "c" * 65])
def test_a_ca_needs_a_name_for_its_subject(key: RSAPrivateKey, name: str) -> None:
    with pytest.raises(PkiError, match="name"):
        CA(name, key=key)


def test_validity_starts_in_the_past_and_ends_in_the_future(pki: Pki) -> None:
    now = dt.datetime.now(dt.UTC)
    for holder in (pki.root, pki.issuing, pki.alice, pki.bob):
        certificate = holder.certificate.x509
        assert certificate.not_valid_before_utc < now - dt.timedelta(minutes=50)
        assert certificate.not_valid_after_utc > now + dt.timedelta(days=300)


def test_certificates_that_must_be_refused_can_be_made(pki: Pki, key: RSAPrivateKey) -> None:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    day = dt.timedelta(days=1)
    expired = pki.root.issue_cert("a.test", key=key, not_before=now - 2 * day, not_after=now - day)
    assert expired.certificate.x509.not_valid_after_utc == now - day
    early = pki.root.issue_cert("a.test", key=key, not_before=now + day)
    assert early.certificate.x509.not_valid_before_utc == now + day
    no_ca = pki.root.create_child_ca("no CA", key=key, ca=False)
    assert extension(no_ca.certificate, x509.BasicConstraints) == x509.BasicConstraints(False, None)
    assert usages(no_ca.certificate) == {"digital_signature"}
    short = CA("short", key=key, path_length=0)
    assert extension(short.certificate, x509.BasicConstraints).path_length == 0
    liar = pki.root.issue_cert("mallory.test", key=key, common_name="alice@tkm-lab.test")
    assert liar.certificate.subject == "CN=alice@tkm-lab.test,O=tkm-lab"


def test_a_validity_that_cannot_be_is_refused(pki: Pki, key: RSAPrivateKey) -> None:
    now = dt.datetime.now(dt.UTC)
    with pytest.raises(PkiError, match="is before not_before"):
        pki.root.issue_cert("a.test", key=key, not_after=now - dt.timedelta(days=1))
    with pytest.raises(PkiError, match="time zone"):
        pki.root.issue_cert("a.test", key=key, not_before=now.replace(tzinfo=None))
