# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificate revocation lists (RFC 5280, 5 and 6.3): complete, delta and partitioned ones.

Whoever configures any wants to know of every certificate that it is not revoked: without a fresh
CRL of its issuer a certificate is refused. Indirect CRLs, which others than the issuer sign, are
not used.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from tkm.certs import extensions, names, strength
from tkm.certs.issuing import check_issued, check_time
from tkm.errors import CertificateError, refusing

Crl = x509.CertificateRevocationList

_RECOGNIZED: Final = frozenset(
    {
        CRLEntryExtensionOID.CRL_REASON,
        CRLEntryExtensionOID.INVALIDITY_DATE,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.DELTA_CRL_INDICATOR,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    }
)
_REASONS: Final = frozenset(x509.ReasonFlags) - {
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.remove_from_crl,
}


def load(octets: bytes) -> Crl:
    """A CRL from its DER.

    :raises CertificateError: it is none, or not one that is used here.
    """
    with warnings.catch_warnings(), refusing(CertificateError, "not a CRL in DER"):
        warnings.simplefilter("ignore")  # Odd serial numbers are no danger (RFC 5280, 4.1.2.2).
        crl = x509.load_der_x509_crl(octets)
        if fault := _fault(crl) or strength.signature_fault(crl):
            raise CertificateError(f"the CRL of '{crl.issuer.rfc4514_string()}' {fault}")
    return crl


def _fault(crl: Crl) -> str:
    """Why a CRL is not used; empty if it is."""
    for part in (crl, *crl):
        for extension in part.extensions:
            if extension.critical and extension.oid not in _RECOGNIZED:
                return f"has the unknown critical extension {extension.oid.dotted_string}"
    scope = extensions.find(crl, x509.IssuingDistributionPoint)
    if scope and (scope.indirect_crl or scope.only_contains_attribute_certs):
        return "is indirect, or for attribute certificates alone"
    return "" if crl.next_update_utc else "does not name its next update"


class Revocation:
    """What CRLs tell about certificates.

    :param crls: if there are none, nothing is asked of anybody.
    :param signers: certificates of CAs for other keys than those of their paths, which sign CRLs.
    """

    def __init__(self, crls: Iterable[Crl] = (), signers: Iterable[x509.Certificate] = ()) -> None:
        self._crls: defaultdict[names.CanonicalName, list[Crl]] = defaultdict(list)
        for crl in crls:
            self._crls[names.canonical(crl.issuer)].append(crl)
        self._signers = tuple(signers)

    def check(
        self, certificate: x509.Certificate, above: Sequence[x509.Certificate], now: datetime
    ) -> None:
        """Check that a certificate is not revoked at the time ``now`` (UTC).

        :param above: the CAs of its path; a trust anchor has none, and nobody revokes it.
        :raises CertificateError: it is revoked, or no CRL says that it is not.
        """
        if self._crls and above:
            further = [each for each in self._signers if self._is_good(each, above, now)]
            self._check(certificate, [*above, *further], now)

    def _is_good(
        self, signer: x509.Certificate, above: Sequence[x509.Certificate], now: datetime
    ) -> bool:
        """A CA of a path has issued it, and has not revoked it."""
        for issuer in above:
            try:
                check_issued(signer, issuer)
                check_time(signer, now)
                self._check(signer, above, now)
            except CertificateError:
                continue
            return True
        return False

    def _check(
        self, certificate: x509.Certificate, signers: Iterable[x509.Certificate], now: datetime
    ) -> None:
        issuer = names.canonical(certificate.issuer)
        named = [each for each in signers if names.canonical(each.subject) == issuer]
        usable = [
            crl
            for crl in self._crls.get(issuer, ())
            if is_fresh(crl, now) and _covers(crl, certificate) and _is_of(crl, named)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd serial numbers
            _check(certificate, usable)


NOTHING_REVOKED: Final = Revocation()


def _check(certificate: x509.Certificate, usable: Sequence[Crl]) -> None:
    deltas = [crl for crl in usable if _number(crl, x509.DeltaCRLIndicator) is not None]
    deltas.sort(key=lambda delta: _number(delta, x509.CRLNumber) or 0, reverse=True)
    answered: set[x509.ReasonFlags] = set()
    for crl in usable:
        if crl not in deltas:
            newer = [delta for delta in deltas if _continues(delta, crl)]
            if _is_listed(certificate, [*newer, crl]):
                raise CertificateError("it is revoked")
            answered |= _reasons(crl)
    if answered != _REASONS:
        raise CertificateError("its issuer's CRL is missing, stale or not signed by it")


def _is_listed(certificate: x509.Certificate, crls: Sequence[Crl]) -> bool:
    """A certificate is revoked, as the first of these CRLs that lists it reports."""
    for crl in crls:
        if entry := crl.get_revoked_certificate_by_serial_number(certificate.serial_number):
            why = extensions.find(entry, x509.CRLReason)
            return not (why and why.reason is x509.ReasonFlags.remove_from_crl)
    return False


def is_fresh(crl: Crl, now: datetime) -> bool:
    """A CRL is the current one at the time ``now`` (UTC)."""
    begin, end = crl.last_update_utc, crl.next_update_utc
    return end is not None and begin <= now.astimezone(UTC) <= end


def _is_of(crl: Crl, signers: Iterable[x509.Certificate]) -> bool:
    """One of the CAs has signed it, and may."""
    for signer in signers:
        usage = extensions.find(signer, x509.KeyUsage)
        key: Any = signer.public_key()
        with suppress(TypeError, ValueError, UnsupportedAlgorithm):
            if (not usage or usage.crl_sign) and crl.is_signature_valid(key):
                return True
    return False


def _covers(crl: Crl, certificate: x509.Certificate) -> bool:
    """A certificate is in a CRL's scope (6.3.3 b)."""
    scope = extensions.find(crl, x509.IssuingDistributionPoint)
    if scope is None:
        return True
    constraints = extensions.find(certificate, x509.BasicConstraints)
    is_ca = bool(constraints and constraints.ca)
    if scope.only_contains_user_certs if is_ca else scope.only_contains_ca_certs:
        return False
    point = _names(crl.issuer, scope)
    points = extensions.find(certificate, x509.CRLDistributionPoints) or ()
    return not point or any(point & _names(crl.issuer, each) for each in points)


def _names(
    issuer: x509.Name, point: x509.DistributionPoint | x509.IssuingDistributionPoint
) -> AbstractSet[x509.GeneralName]:
    """Those of a distribution point (4.2.1.13)."""
    relative = point.relative_name
    if relative:
        return {x509.DirectoryName(x509.Name([*issuer.rdns, relative]))}
    return frozenset(point.full_name or ())


def _reasons(crl: Crl) -> AbstractSet[x509.ReasonFlags]:
    """The reasons for which a CRL lists certificates."""
    scope = extensions.find(crl, x509.IssuingDistributionPoint)
    return scope.only_some_reasons or _REASONS if scope else _REASONS


def _continues(delta: Crl, crl: Crl) -> bool:
    """A delta CRL of the same scope takes a complete one further (5.2.4)."""
    base, number = _number(delta, x509.DeltaCRLIndicator), _number(crl, x509.CRLNumber)
    newer = _number(delta, x509.CRLNumber)
    scopes = [extensions.find(each, x509.IssuingDistributionPoint) for each in (delta, crl)]
    if base is None or number is None or newer is None or scopes[0] != scopes[1]:
        return False
    return base <= number <= newer


def _number(crl: Crl, kind: type[x509.CRLNumber | x509.DeltaCRLIndicator]) -> int | None:
    found = extensions.find(crl, kind)
    return found.crl_number if found else None
