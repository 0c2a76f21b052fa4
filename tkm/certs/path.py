# SPDX-License-Identifier: GPL-2.0-or-later
"""Path validation (RFC 5280, 6), done by the verifier of the ``cryptography`` library.

What is ours: the path is exactly the row of certificates that was given, from the trust anchor to
the peer; and what an IPsec certificate needs (RFC 4945, 5.1.3), which is less than a web server's.
"""

import warnings
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from tkm.errors import CertificateError

LONGEST_PATH: Final = 10

_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)
"""What the library raises for octets that are no certificate it understands, or soon will."""


def _may_issue(
    _policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage and not usage.key_cert_sign:
        raise ValueError("an issuer's key may not sign certificates")


def _may_sign(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage and not (usage.digital_signature or usage.content_commitment):
        raise ValueError("the key may not sign")


_ISSUER: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_issue)
)
_PEER: Final = ExtensionPolicy.permit_all().may_be_present(
    x509.KeyUsage, Criticality.AGNOSTIC, _may_sign
)


def load(der: bytes) -> x509.Certificate:
    """A certificate from its DER.

    :raises CertificateError: these octets are none, or its key is not RSA.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        try:
            certificate = x509.load_der_x509_certificate(der)
            # The library decodes the parts when they are asked for. Ask here, where it may fail.
            _ = certificate.subject, certificate.issuer, certificate.extensions
            _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            rsa_key(certificate)
        except _UNREADABLE as error:
            raise CertificateError(f"not a certificate: {error}") from error
    return certificate


def subject(certificate: x509.Certificate) -> str:
    """The subject's name for logs, most general part first: ``C=CH, O=…, CN=…``."""
    return ", ".join(part.rfc4514_string() for part in certificate.subject.rdns)


def rsa_key(certificate: x509.Certificate) -> RSAPublicKey:
    """The public key of a certificate.

    :raises CertificateError: it is not RSA.
    """
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise CertificateError(f"the key of '{subject(certificate)}' is not RSA")
    return key


def check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Check that ``issuer`` has signed ``certificate``.

    :raises CertificateError: names or signature do not fit.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, InvalidSignature) as error:
        raise CertificateError(
            f"'{subject(certificate)}' was not issued by '{subject(issuer)}'"
        ) from error


def check_issuer(certificate: x509.Certificate, now: datetime) -> None:
    """Check that a trust anchor is a CA, and valid at the time ``now`` (UTC).

    :raises CertificateError: it is not.
    """
    extensions = certificate.extensions
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise CertificateError("it is no CA: it has no basicConstraints") from None
    if not constraints.ca:
        raise CertificateError("it is no CA: its CA flag is not set")
    if not certificate.not_valid_before_utc <= now.astimezone(UTC):
        raise CertificateError(f"it is not valid before {certificate.not_valid_before_utc}")
    if not now.astimezone(UTC) <= certificate.not_valid_after_utc:
        raise CertificateError(f"it has expired on {certificate.not_valid_after_utc}")


def validate(path: list[x509.Certificate], now: datetime) -> None:
    """Validate a path, trust anchor first, peer last, at the time ``now`` (UTC).

    :raises CertificateError: it is not valid.
    """
    anchor, *issuers, peer = path
    verifier = (
        PolicyBuilder()
        .store(Store([anchor]))
        .time(now)
        .max_chain_depth(LONGEST_PATH)
        .extension_policies(ca_policy=_ISSUER, ee_policy=_PEER)
        .build_client_verifier()
    )
    try:
        found = verifier.verify(peer, issuers).chain
    except VerificationError as error:
        raise CertificateError(str(error)) from error
    if found != [peer, *reversed(issuers), anchor]:
        raise CertificateError("the certificates given are not one path")
