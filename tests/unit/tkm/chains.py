# SPDX-License-Identifier: GPL-2.0-or-later
"""Making chains, and having alice's TKM judge them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lab.pki import CA
from tests.unit.trusted import config_of, host, identity, pki
from tkm.certs import path
from tkm.certs.crls import NOTHING_REVOKED, Revocation
from tkm.config.keys import TrustAnchors
from tkm.core.manager import KeyManager
from tkm.rpc import rpc2

BOB = identity("bob")
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def der(certificate: x509.Certificate | bytes) -> bytes:
    if isinstance(certificate, bytes):
        return certificate
    return certificate.public_bytes(Encoding.DER)


def manager(
    anchors: TrustAnchors, now: datetime = NOW, revocation: Revocation = NOTHING_REVOKED
) -> KeyManager:
    alice = host("alice")
    keys = {0: pki().keys["alice"]}
    return KeyManager(
        config_of("alice"), keys, anchors, alice.kernel, lambda: now, revocation=revocation
    )


def judge(
    anchor: bytes,
    *certificates: bytes,
    now: datetime = NOW,
    given: bytes = b"",
    revocation: Revocation = NOTHING_REVOKED,
) -> None:
    """Alice's TKM checks a chain for bob.

    :raises CertificateError: it is not accepted.
    """
    trusted = manager({1: path.load(anchor)}, now, revocation)
    trusted.perform(rpc2.CcCheckCa(cc=1, ca=1, certificate=given or anchor))
    for certificate in certificates:
        trusted.perform(rpc2.CcAddCertificate(cc=1, certificate=certificate))
    trusted.perform(rpc2.CcCheckChain(cc=1, ri=1))


def root(name: str = "root", **options: Any) -> CA:
    return CA(name, key=pki().keys["alice"], **options)


def below(ca: CA, /, name: str = "issuing", **options: Any) -> CA:
    return ca.create_child_ca(name, key=pki().ca.key.rsa, **options)


def bob(ca: CA, *names: str, **options: Any) -> bytes:
    return ca.issue_cert(*(names or (BOB,)), key=pki().keys["bob"], **options).certificate.der


def of(ca: CA) -> bytes:
    return ca.certificate.der


def with_extensions(ca: CA, *extensions: tuple[x509.ExtensionType, bool]) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, BOB)]))
        .issuer_name(ca.subject)
        .public_key(pki().keys["bob"].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return der(builder.sign(ca.key.rsa, hashes.SHA256()))
