# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificate chains: what a valid one is, and everything that makes one invalid."""

import dataclasses
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.pki import CA
from tests.unit.tkm import vectors
from tests.unit.tkm.chains import (
    BOB,
    DAY,
    NOW,
    below,
    bob,
    der,
    judge,
    manager,
    of,
    root,
    with_extensions,
)
from tests.unit.trusted import config_of, host, pki
from tkm.certs import path
from tkm.certs.identity import speaks_for
from tkm.certs.issuing import check_issued
from tkm.core.manager import KeyManager
from tkm.errors import CertificateError, InvalidId
from tkm.generation1 import rpc1
from tkm.generation1.translation import Generation1
from tkm.rpc import rpc2


def test_below_the_root() -> None:
    ca = root()
    judge(of(ca), bob(ca))


def test_below_intermediates() -> None:
    ca = root()
    issuing = below(ca)
    judge(of(ca), of(issuing), bob(issuing))
    last = below(issuing, "last")
    judge(of(ca), of(issuing), of(last), bob(last))


def test_no_certificate_is_there_twice() -> None:
    """RFC 5280, 6.1, though each one is issued by the one before it."""
    ca = root()
    issuing = below(ca)
    for path_ in ((of(ca), of(ca), bob(ca)), (of(ca), of(ca), of(issuing), bob(issuing))):
        with pytest.raises(CertificateError, match="appears twice"):
            judge(*path_)


def test_recorded_certificates_of_the_original() -> None:
    now = vectors.rsa_certificate("bob").not_valid_before_utc + DAY
    ca, peer = vectors.certificate("ca"), vectors.certificate("bob")
    path.validate([path.load(ca), path.load(peer)], now)
    assert speaks_for(path.load(peer), "bob@strongswan.org")
    assert not speaks_for(path.load(peer), "ob@strongswan.org")


@pytest.mark.parametrize(
    "validity",
    [
        {"not_before": NOW - 2 * DAY, "not_after": NOW - DAY},
        {"not_before": NOW + DAY, "not_after": NOW + 2 * DAY},
    ],
    ids=["expired", "not yet valid"],
)
@pytest.mark.parametrize("level", ["root", "issuing", "peer"])
def test_a_certificate_outside_of_its_time(validity: Any, level: str) -> None:
    ca = root(**validity) if level == "root" else root()
    issuing = below(ca, **validity) if level == "issuing" else below(ca)
    peer = bob(issuing, **validity) if level == "peer" else bob(issuing)
    with pytest.raises(CertificateError, match=r"is not valid before|has expired on"):
        judge(of(ca), of(issuing), peer)


def test_the_same_chain_at_another_time() -> None:
    ca = root()
    peer = bob(ca)
    judge(of(ca), peer, now=NOW)
    for now, reason in ((NOW - 2 * DAY, "not valid before"), (NOW + 400 * DAY, "has expired")):
        with pytest.raises(CertificateError, match=reason):
            judge(of(ca), peer, now=now)


def test_an_issuer_without_the_ca_flag() -> None:
    ca = root()
    issuing = below(ca, ca=False)
    with pytest.raises(CertificateError):
        judge(of(ca), of(issuing), bob(issuing))


@pytest.mark.parametrize(
    ("constraints", "usage", "reason"),
    [
        (x509.BasicConstraints(False, None), None, "its CA flag is not set"),
        (None, None, "has no basicConstraints"),
        (x509.BasicConstraints(True, None), True, "key may not sign certificates"),
    ],
    ids=["no CA", "no constraints", "may not sign certificates"],
)
def test_an_issuer_that_is_one_only_in_part(
    constraints: Any, usage: bool | None, reason: str
) -> None:
    ca = root()
    extensions = [(constraints, True)] if constraints else []
    if usage:
        bits = (True, *[False] * 8)
        extensions.append((x509.KeyUsage(*bits), True))
    halfway = path.load(with_extensions(ca, *extensions))
    names = x509.SubjectAlternativeName([x509.RFC822Name(BOB)])
    peer = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, BOB)]))
        .issuer_name(halfway.subject)
        .public_key(pki().keys["bob"].public_key())
        .serial_number(7)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(names, critical=False)
        .sign(pki().keys["bob"], hashes.SHA256())
    )
    with pytest.raises(CertificateError, match=reason):
        judge(of(ca), der(halfway), der(peer))


def test_a_host_that_issues() -> None:
    ca = root()
    carol = ca.issue_cert("carol@tkm-lab.test", key=pki().ca.key.rsa)
    forged = CA("carol@tkm-lab.test", key=pki().ca.key.rsa)
    assert carol.certificate.der != of(forged)
    with pytest.raises(CertificateError):
        judge(of(ca), carol.certificate.der, bob(forged))


def test_more_cas_than_the_path_length_allows() -> None:
    ca = root(path_length=0)
    judge(of(ca), bob(ca))
    issuing = below(ca)
    with pytest.raises(CertificateError):
        judge(of(ca), of(issuing), bob(issuing))


def test_a_foreign_ca() -> None:
    ca, foreign = root(), CA("foreign", key=pki().ca.key.rsa)
    with pytest.raises(CertificateError, match="is not CA 1"):
        judge(of(ca), bob(foreign), given=of(foreign))
    with pytest.raises(CertificateError, match="was not issued by"):
        judge(of(ca), bob(foreign))


def test_a_foreign_ca_of_the_same_name() -> None:
    ca, foreign = root(), CA("root", key=pki().ca.key.rsa)
    with pytest.raises(CertificateError, match="was not issued by"):
        judge(of(ca), bob(foreign))
    again = root()
    assert of(again) != of(ca)
    with pytest.raises(CertificateError, match="is not CA 1"):
        judge(of(ca), bob(ca), given=of(again))


def test_a_row_with_a_gap_or_out_of_order() -> None:
    ca = root()
    issuing = below(ca)
    last = below(issuing, "last")
    for row in ([of(last), bob(last)], [of(last), of(issuing), bob(last)], [bob(last)]):
        with pytest.raises(CertificateError, match="was not issued by"):
            judge(of(ca), *row)


def test_nothing_below_the_root() -> None:
    ca = root()
    with pytest.raises(CertificateError, match="no certificate below the CA"):
        judge(of(ca))


def test_what_is_not_configured() -> None:
    ca = root()
    trusted = manager({1: path.load(of(ca)), 7: path.load(of(below(ca)))})
    with pytest.raises(InvalidId, match="there is no CA 2"):
        trusted.perform(rpc2.CcCheckCa(cc=1, ca=2, certificate=of(ca)))
    with pytest.raises(CertificateError, match="is not CA 7"):
        trusted.perform(rpc2.CcCheckCa(cc=1, ca=7, certificate=of(ca)))
    trusted.perform(rpc2.CcCheckCa(cc=1, ca=1, certificate=of(ca)))
    trusted.perform(rpc2.CcAddCertificate(cc=1, certificate=bob(ca)))
    with pytest.raises(InvalidId, match="there is no remote identity 2"):
        trusted.perform(rpc2.CcCheckChain(cc=1, ri=2))


@pytest.mark.parametrize("generation", [1, 2])
def test_a_policy_may_want_one_ca(generation: int) -> None:
    ours, other = root(), CA("other", key=pki().ca.key.rsa)
    for wanted, accepted in ((0, True), (1, True), (2, False)):
        config = config_of("alice")
        policy = config.policies[1]
        remote = dataclasses.replace(policy.remote, ca=wanted)
        config.policies[1] = dataclasses.replace(policy, remote=remote)
        anchors = {1: path.load(of(ours)), 2: path.load(of(other))}
        trusted = KeyManager(config, {0: pki().keys["alice"]}, anchors, host("alice").kernel)
        check = check_upwards if generation == 1 else check_downwards
        if accepted:
            check(trusted, of(ours), bob(ours))
        else:
            with pytest.raises(CertificateError, match="begins with CA 1, not with CA 2"):
                check(trusted, of(ours), bob(ours))


def check_downwards(trusted: KeyManager, ca: bytes, peer: bytes) -> None:
    trusted.perform(rpc2.CcCheckCa(cc=1, ca=1, certificate=ca))
    trusted.perform(rpc2.CcAddCertificate(cc=1, certificate=peer))
    trusted.perform(rpc2.CcCheckChain(cc=1, ri=1))


def check_upwards(trusted: KeyManager, ca: bytes, peer: bytes) -> None:
    service = Generation1(trusted)
    service._chain(rpc1.CcSetUserCertificate(cc=1, ri=1, autha=1, certificate=peer))
    service._chain(rpc1.CcAddCertificate(cc=1, autha=1, certificate=ca))
    service._chain(rpc1.CcCheckCa(cc=1, ca=1))


def test_a_chain_without_end() -> None:
    ca = root()
    trusted = manager({1: path.load(of(ca))})
    trusted.perform(rpc2.CcCheckCa(cc=1, ca=1, certificate=of(ca)))
    again = rpc2.CcAddCertificate(cc=1, certificate=of(ca))
    for _ in range(path.LONGEST_PATH - 1):
        trusted.perform(again)
    with pytest.raises(CertificateError, match="longer than 10"):
        trusted.perform(again)


def test_a_key_that_may_not_sign() -> None:
    ca = root()
    usage = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    names = x509.SubjectAlternativeName([x509.RFC822Name(BOB)])
    with pytest.raises(CertificateError):
        judge(of(ca), with_extensions(ca, (names, False), (usage, True)))
    usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
    judge(of(ca), with_extensions(ca, (names, False), (usage, True)))


def test_a_key_of_another_kind() -> None:
    ca = root()
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, BOB)]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    with pytest.raises(CertificateError, match="is not RSA"):
        judge(of(ca), der(builder.sign(ca.key.rsa, hashes.SHA256())))


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_changed_octets_never_make_another_certificate(data: Any) -> None:
    octets = bytearray(pki().certificates["bob"])
    for place in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=3)):
        octets[place] = data.draw(st.integers(0, 255))
    if bytes(octets) == pki().certificates["bob"]:
        return
    ca = path.load(pki().ca.root.certificate.der)
    with pytest.raises(CertificateError):
        check_issued(path.load(bytes(octets)), ca)


def test_a_file_of_a_certificate() -> None:
    octets = pki().certificates["bob"]
    pem = pki().ca.issue_cert(BOB).certificate.pem
    for good in (octets, octets + b"\n", octets + b"\r\n \n", pem, b"bob's\n" + pem + b"\n"):
        path.load_file(good)
    bad = (
        b"",
        b"\n",
        b"junk",
        pem * 2,
        pem[:-40],
        octets + b"x\n",
        octets[:-1],
        octets[:50] + b"\n",
    )
    for each in bad:
        with pytest.raises(CertificateError) as refused:
            path.load_file(each)
        assert str(refused.value) in (
            "not one certificate, DER or PEM",
            "not a certificate in DER: malformed",
        )


def test_a_parser_s_message_is_not_for_people() -> None:
    octets = bytearray(pki().certificates["bob"])
    serial = octets.index(b"\xa0\3\2\1\2\2") + 6
    octets[serial : serial + 2] = b"\0\0"
    with pytest.raises(CertificateError, match=r"^not a certificate in DER: malformed serial$"):
        path.load(bytes(octets))


@settings(max_examples=100, deadline=None)
@given(octets=st.binary(max_size=1500))
def test_any_octets_are_no_certificate(octets: Any) -> None:
    with pytest.raises(CertificateError):
        path.load(octets)
