# SPDX-License-Identifier: GPL-2.0-or-later
"""Path validation (RFC 5280, 6.1), and what an IPsec certificate needs (RFC 4945, 5.1.3).

The path is exactly the row of certificates that was given, from the trust anchor to the peer. The
anchor's own constraints count as those of the CAs below it do (RFC 5937).
"""

import warnings
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from tkm.certs import der, extensions, names, strength
from tkm.certs.crls import NOTHING_REVOKED, Revocation
from tkm.certs.issuing import check_time, subject
from tkm.certs.policies import ANYTHING, Policies, Wanted
from tkm.errors import CertificateError, refusing

LONGEST_PATH: Final = 10
_PURPOSES: Final = frozenset(
    {ExtendedKeyUsageOID.IPSEC_IKE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)


def load(octets: bytes) -> x509.Certificate:
    """A certificate from its DER.

    :raises CertificateError: these octets are none, or its key is too weak or not RSA.
    """
    with warnings.catch_warnings(), refusing(CertificateError, "not a certificate in DER"):
        warnings.simplefilter("ignore")  # Odd serial numbers are no danger (RFC 5280, 4.1.2.2).
        certificate = x509.load_der_x509_certificate(octets)
        # The library decodes the parts when they are asked for. Ask here, where it may fail.
        _ = subject(certificate), certificate.issuer, certificate.extensions
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if fault := strength.certificate_fault(certificate):
            raise CertificateError(f"the key of '{subject(certificate)}' {fault}")
    return certificate


def load_file(octets: bytes) -> x509.Certificate:
    """A certificate from a file: DER or PEM, and what an editor leaves behind it.

    :raises CertificateError: it is none, or more than one, or as :func:`load` does.
    """
    try:
        octets = der.of_file(octets)
    except (ValueError, IndexError):
        raise CertificateError("not one certificate, DER or PEM") from None
    return load(octets)


def rsa_key(certificate: x509.Certificate) -> RSAPublicKey:
    """The public key of a certificate.

    :raises CertificateError: it is not RSA.
    """
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise CertificateError(f"the key of '{subject(certificate)}' is not RSA")
    return key


def check_issuer(certificate: x509.Certificate, now: datetime) -> None:
    """Check that a trust anchor is a CA, and valid at the time ``now`` (UTC).

    :raises CertificateError: it is not.
    """
    if fault := _issuer_fault(certificate):
        raise CertificateError(fault)
    check_time(certificate, now)


def _issuer_fault(certificate: x509.Certificate) -> str:
    """Why a certificate does not make its subject a CA; empty if it does."""
    constraints = extensions.find(certificate, x509.BasicConstraints)
    usage = extensions.find(certificate, x509.KeyUsage)
    if constraints is None:
        return "it is not a CA: it has no basicConstraints"
    if not constraints.ca:
        return "it is not a CA: its CA flag is not set"
    if usage and not usage.key_cert_sign:
        return "it is not a CA: its key may not sign certificates"
    return ""


def constrains_names(path: list[x509.Certificate]) -> bool:
    """A CA of the path, the trust anchor included, constrains names (RFC 5280, 4.2.1.10)."""
    return any(extensions.find(each, x509.NameConstraints) is not None for each in path[:-1])


def expires(path: list[x509.Certificate]) -> datetime:
    """The last moment (UTC) at which every certificate of the path is valid."""
    return min(certificate.not_valid_after_utc for certificate in path)


def validate(
    path: list[x509.Certificate],
    now: datetime,
    revocation: Revocation = NOTHING_REVOKED,
    wanted: Wanted = ANYTHING,
) -> None:
    """Validate a path, trust anchor first, peer last, at the time ``now`` (UTC).

    That each has signed the next one was checked before: :func:`tkm.certs.issuing.check_issued`.

    :param revocation: CRLs; each certificate must be on none of them.
    :param wanted: the certificate policies that are wanted; by default any, or none at all.
    :raises CertificateError: it is not valid.
    """
    if len(set(path)) < len(path):
        raise CertificateError("a certificate appears twice in the path (RFC 5280, 6.1)")
    with refusing(CertificateError, "the path cannot be validated"):
        validation = _Validation(path, now, wanted)
        for depth, certificate in enumerate(path):
            try:
                validation.step(certificate, depth)
                revocation.check(certificate, path[:depth], now)
            except CertificateError as error:
                raise CertificateError(f"'{subject(certificate)}': {error}") from None


class _Validation:
    """The variables of RFC 5280, 6.1.2, except for the issuer's name and key."""

    def __init__(self, path: list[x509.Certificate], now: datetime, wanted: Wanted) -> None:
        self._last = len(path) - 1
        self._now = now
        self._cas_left = self._last
        self._names = names.NameConstraints()
        self._policies = Policies(self._last, wanted)

    def step(self, certificate: x509.Certificate, depth: int) -> None:
        """Process the next certificate, ``depth`` steps below the anchor.

        :raises CertificateError: the path is not valid.
        """
        last = depth == self._last
        self_issued = names.equal(certificate.subject, certificate.issuer)
        self._check(certificate, always=last)
        if depth:
            if last or not self_issued:
                self._names.check(certificate)
            self._policies.check(certificate, any_counts=self_issued and not last)
        if last:
            self._wrap_up(certificate)
        else:
            self._prepare(certificate, depth, self_issued)

    def _check(self, certificate: x509.Certificate, *, always: bool) -> None:
        check_time(certificate, self._now)
        if oid := extensions.unrecognized(certificate):
            raise CertificateError(f"it has the unknown critical extension {oid}")
        if certificate.version is not x509.Version.v3 and len(certificate.extensions):
            raise CertificateError("it has extensions, which its version has not")
        if not certificate.issuer.rdns:
            raise CertificateError("its issuer has no name")
        if not _is_for_ike(certificate, always=always):
            raise CertificateError("its extendedKeyUsage has no IKE")

    def _prepare(self, issuer: x509.Certificate, depth: int, self_issued: bool) -> None:
        """Make ready for what it has issued (6.1.4)."""
        if fault := _issuer_fault(issuer):
            raise CertificateError(fault)
        if depth:
            self._policies.map(issuer)
            if not self_issued:
                self._policies.count()
                self._cas_left -= 1
            if self._cas_left < 0:
                raise CertificateError("a CA above it does not permit so many CAs")
        self._names.add(issuer)
        self._policies.constrain(issuer)
        constraints = extensions.find(issuer, x509.BasicConstraints)
        if constraints and constraints.path_length is not None:
            self._cas_left = min(self._cas_left, constraints.path_length)

    def _wrap_up(self, peer: x509.Certificate) -> None:
        """The peer's own (6.1.5; RFC 4945, 5.1.3.2)."""
        self._policies.finish(peer)
        usage = extensions.find(peer, x509.KeyUsage)
        if usage and not (usage.digital_signature or usage.content_commitment):
            raise CertificateError("its key may not sign")
        if extensions.find(peer, x509.NameConstraints):
            raise CertificateError("it constrains names, which only a CA may")


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
