# SPDX-License-Identifier: GPL-2.0-or-later
"""Who has issued a certificate, and when it is valid (RFC 5280, 6.1.3 a 1, 2 and 4)."""

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from tkm.certs import der, names, strength
from tkm.errors import CertificateError, refusing


def subject(certificate: x509.Certificate) -> str:
    """The subject's name for logs, most general part first: ``C=CH, O=…, CN=…``."""
    return ", ".join(part.rfc4514_string() for part in certificate.subject.rdns)


def check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Check that ``issuer`` has signed ``certificate``.

    :raises CertificateError: names or signature do not fit, or the signature is too weak.
    """
    wrong = f"'{subject(certificate)}' was not issued by '{subject(issuer)}'"
    with refusing(CertificateError, wrong):
        if fault := strength.signature_fault(certificate):
            raise CertificateError(f"'{subject(certificate)}' {fault}")
        if not names.equal(certificate.issuer, issuer.subject):
            raise CertificateError(f"{wrong}: the names differ")
        try:
            _verify(certificate, issuer.public_key())
        except InvalidSignature:
            raise CertificateError(wrong) from None


def _verify(certificate: x509.Certificate, key: Any) -> None:
    """Verify a certificate's signature, as ``verify_directly_issued_by`` does.

    That compares names octet by octet, which RFC 5280, 7.1, does not.

    :raises InvalidSignature: it is not the key's.
    :raises TypeError: the key is of another kind.
    """
    tbs, algorithm, _ = der.contents(certificate.public_bytes(Encoding.DER))
    if algorithm not in der.contents(tbs.octets)[:3]:  # behind version (if any) and serial number
        raise CertificateError(f"'{subject(certificate)}' names two signature algorithms")
    how: list[Any] = [certificate.signature_algorithm_parameters]
    if isinstance(key, RSAPublicKey):
        how.append(certificate.signature_hash_algorithm)
    key.verify(certificate.signature, certificate.tbs_certificate_bytes, *how)


def check_time(certificate: x509.Certificate, now: datetime) -> None:
    """Check that a certificate is valid at the time ``now`` (UTC).

    :raises CertificateError: it is not.
    """
    if not certificate.not_valid_before_utc <= now.astimezone(UTC):
        raise CertificateError(f"it is not valid before {certificate.not_valid_before_utc}")
    if not now.astimezone(UTC) <= certificate.not_valid_after_utc:
        raise CertificateError(f"it has expired on {certificate.not_valid_after_utc}")
