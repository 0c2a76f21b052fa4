# SPDX-License-Identifier: GPL-2.0-or-later
"""Path validation (RFC 5280, 6), done by the verifier of the ``cryptography`` library.

What is ours: the path is exactly the row of certificates that was given, from the trust anchor to
the peer; and what an IPsec certificate needs (RFC 4945, 5.1.3), which is less than a web server's.
"""

import warnings
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from tkm.certs import strength
from tkm.errors import CertificateError, refusing

LONGEST_PATH: Final = 10


def _may_issue(
    _policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage and not usage.key_cert_sign:
        raise ValueError("an issuer's key may not sign certificates")


def _may_sign(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage and not (usage.digital_signature or usage.content_commitment):
        raise ValueError("the key may not sign")


def _is_for_ike(certificate: x509.Certificate, *, always: bool) -> bool:
    """A certificate that names purposes names ours (RFC 5280, 4.2.1.12; RFC 4945, 5.1.3.12).

    Args:
        certificate: of a peer or a CA.
        always: it is so for a peer; in a CA, purposes bind us only if they are critical.
    """
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return True
    return not _PURPOSES.isdisjoint(usage.value) or not (always or usage.critical)


_PURPOSES: Final = frozenset(
    {ExtendedKeyUsageOID.IPSEC_IKE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)
_ISSUER: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_issue)
)
_PEER: Final = (
    ExtensionPolicy.permit_all()
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
    .require_not_present(x509.NameConstraints)
)
"""Criticality: whatever is critical and not understood is refused by the library."""


def load(der: bytes) -> x509.Certificate:
    """A certificate from its DER.

    :raises CertificateError: these octets are none, or its key is too weak or not RSA.
    """
    with warnings.catch_warnings(), refusing(CertificateError, "not a certificate"):
        warnings.simplefilter("ignore")
        # What the library will refuse soon is refused now.
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        certificate = x509.load_der_x509_certificate(der)
        # The library decodes the parts when they are asked for. Ask here, where it may fail.
        _ = subject(certificate), certificate.issuer, certificate.extensions
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if fault := strength.certificate_fault(certificate):
            raise CertificateError(f"the key of '{subject(certificate)}' {fault}")
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

    :raises CertificateError: names or signature do not fit, or the signature is too weak.
    """
    wrong = f"'{subject(certificate)}' was not issued by '{subject(issuer)}'"
    with refusing(CertificateError, wrong):
        if fault := strength.signature_fault(certificate):
            raise CertificateError(f"'{subject(certificate)}' {fault}")
        try:
            certificate.verify_directly_issued_by(issuer)
        except InvalidSignature:
            raise CertificateError(wrong) from None


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


def constrains_names(path: list[x509.Certificate]) -> bool:
    """A CA of the path, the trust anchor included, constrains names (RFC 5280, 4.2.1.10)."""
    return any(
        isinstance(extension.value, x509.NameConstraints)
        for certificate in path[:-1]
        for extension in certificate.extensions
    )


def expires(path: list[x509.Certificate]) -> datetime:
    """The last moment (UTC) at which every certificate of the path is valid."""
    return min(certificate.not_valid_after_utc for certificate in path)


def validate(path: list[x509.Certificate], now: datetime) -> None:
    """Validate a path, trust anchor first, peer last, at the time ``now`` (UTC).

    :raises CertificateError: it is not valid.
    """
    with refusing(CertificateError, "the path cannot be validated"):
        _validate(path, now)


def _validate(path: list[x509.Certificate], now: datetime) -> None:
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
    for certificate in found:
        if not _is_for_ike(certificate, always=certificate is peer):
            raise CertificateError(f"the extendedKeyUsage of '{subject(certificate)}' has no IKE")
