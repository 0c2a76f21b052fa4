# SPDX-License-Identifier: GPL-2.0-or-later
"""CAs that put any extension into certificates and CRLs."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.attacks.odd import oid, tlv
from tests.unit.tkm.chains import BOB, NOW
from tests.unit.trusted import pki
from tkm.certs import crls
from tkm.certs.crls import Crl

DAY: Final = timedelta(days=1)
CA_FLAG: Final = x509.BasicConstraints(True, None)
Extensions = Iterable[x509.ExtensionType]
KEYS: Final = {"root": pki().keys["alice"], "peer": pki().keys["bob"], "ca": pki().ca.key.rsa}
"""The root's, the peer's, and that of all CAs between them."""


def dn(*parts: str, organization: str = "") -> x509.Name:
    """A name of common names, below an organization."""
    first = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name(first + [x509.NameAttribute(NameOID.COMMON_NAME, part) for part in parts])


def issue(
    subject: x509.Name,
    key: RSAPrivateKey,
    issuer: x509.Name,
    signer: RSAPrivateKey,
    extensions: Extensions,
    *,
    serial: int = 7,
    end: datetime = NOW + 9 * DAY,
) -> bytes:
    """A certificate, DER. An extension is critical where RFC 5280 wants it to be."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW - DAY)
        .not_valid_after(end)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, isinstance(extension, _CRITICAL))
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


_CRITICAL: Final = (
    x509.BasicConstraints,
    x509.NameConstraints,
    x509.PolicyConstraints,
    x509.InhibitAnyPolicy,
    x509.KeyUsage,
)


def chain(*levels: Extensions, peer: Extensions = (), names: Sequence[str] = ()) -> list[bytes]:
    """A path from a root to bob: a CA for each level, the root first; its extensions beside CA.

    Args:
        levels: of the root and of the CAs below it.
        peer: extensions of bob's certificate, beside its names.
        names: the CAs' common names; a name twice in a row is self-issued.
    """
    called = list(names) or [f"CA {level}" for level in range(len(levels))]
    keys = [KEYS["root"], *[KEYS["ca"]] * (len(levels) - 1)]
    made = []
    for level, some in enumerate(levels):
        above = max(level - 1, 0)
        made.append(
            issue(dn(called[level]), keys[level], dn(called[above]), keys[above], [CA_FLAG, *some])
        )
    san = [x509.SubjectAlternativeName([x509.RFC822Name(BOB)])]
    has_names = any(isinstance(each, x509.SubjectAlternativeName) for each in peer)
    own = [*peer, *([] if has_names else san)]
    return [*made, issue(dn("bob"), KEYS["peer"], dn(called[-1]), keys[-1], own)]


def policies(*dotted: str) -> x509.CertificatePolicies:
    """certificatePolicies."""
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier(each), None) for each in dotted]
    )


def mappings(*pairs: tuple[str, str]) -> x509.UnrecognizedExtension:
    """policyMappings."""
    octets = tlv(0x30, *(tlv(0x30, oid(above), oid(below)) for above, below in pairs))
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.33"), octets)


def crl(
    issuer: x509.Name,
    signer: RSAPrivateKey,
    revoked: Iterable[int] = (),
    *,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    begin: datetime = NOW - DAY,
    end: datetime = NOW + DAY,
    reason: x509.ReasonFlags | None = None,
    entry_extension: x509.ExtensionType | None = None,
) -> bytes:
    """A CRL, DER, with these serial numbers on it."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(begin)
        .next_update(end)
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(begin)
        if reason:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        if entry_extension:
            entry = entry.add_extension(entry_extension, critical=True)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


def loaded(*octets: bytes) -> list[Crl]:
    """CRLs as the TKM loads them."""
    return [crls.load(each) for each in octets]
