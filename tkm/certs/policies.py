# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificate policies along a path (RFC 5280, 6.1.2 to 6.1.5).

The tree of RFC 5280 grows exponentially with some certificates. As RFC 9618 does, each policy is
kept once a certificate; of what is above it only its roots count: the policies by which the first
CAs called it.
"""

from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.x509.oid import CertificatePoliciesOID

from tkm.certs import extensions
from tkm.errors import CertificateError

MOST: Final = 256
"""Policies, and mappings, of one certificate."""

_ANY: Final = CertificatePoliciesOID.ANY_POLICY
_Policies = frozenset[x509.ObjectIdentifier]


class Wanted(NamedTuple):
    """What is wanted of a path (6.1.1): by default any policy, or none at all."""

    policies: AbstractSet[x509.ObjectIdentifier] = frozenset({_ANY})
    explicit: bool = False
    inhibit_mapping: bool = False
    inhibit_any: bool = False


ANYTHING: Final = Wanted()


class Policies:
    """The policies that are valid down to a certificate of the path.

    :param length: certificates of the path, the trust anchor left out.
    """

    def __init__(self, length: int, wanted: Wanted) -> None:
        self._wanted = wanted.policies
        self._explicit = 0 if wanted.explicit else length + 1
        self._mapping = 0 if wanted.inhibit_mapping else length + 1
        self._any = 0 if wanted.inhibit_any else length + 1
        self._roots: dict[x509.ObjectIdentifier, _Policies] = {_ANY: frozenset({_ANY})}

    def check(self, certificate: x509.Certificate, *, any_counts: bool) -> None:
        """Go one certificate down (6.1.3 d to f).

        :param any_counts: it is a CA's own, for which anyPolicy counts in any case.
        :raises CertificateError: no policy is left where one is required.
        """
        found = extensions.find(certificate, x509.CertificatePolicies) or ()
        named = {each.policy_identifier for each in found}
        if len(named) > MOST:
            raise CertificateError(f"a certificate has more than {MOST} policies")
        roots = {each: self._root(each) for each in named if each != _ANY}
        if _ANY in named and (self._any or any_counts):
            roots = self._roots | roots
        self._roots = {policy: above for policy, above in roots.items() if above}
        self._require(bool(self._roots))

    def map(self, issuer: x509.Certificate) -> None:
        """Call policies as this CA does for those below (6.1.4 a and b).

        :raises CertificateError: it maps anyPolicy.
        """
        pairs = extensions.policy_mappings(issuer)
        if len(pairs) > MOST:
            raise CertificateError(f"a certificate has more than {MOST} policy mappings")
        mapped: dict[x509.ObjectIdentifier, _Policies] = {}
        for above, below in pairs:
            if _ANY in (above, below):
                raise CertificateError("a CA maps anyPolicy")
            mapped[below] = mapped.get(below, frozenset()) | self._root(above)
        for above, _ in pairs:
            self._roots.pop(above, None)
        for below, roots in mapped.items() if self._mapping else ():
            if roots:
                self._roots[below] = self._roots.get(below, frozenset()) | roots

    def count(self) -> None:
        """One certificate more, which is not self-issued (6.1.4 h)."""
        self._explicit, self._mapping, self._any = (
            max(each - 1, 0) for each in (self._explicit, self._mapping, self._any)
        )

    def constrain(self, issuer: x509.Certificate) -> None:
        """From here on policies are as this CA says (6.1.4 i and j)."""
        if value := extensions.find(issuer, x509.PolicyConstraints):
            explicit, mapping = value.require_explicit_policy, value.inhibit_policy_mapping
            self._explicit = self._explicit if explicit is None else min(self._explicit, explicit)
            self._mapping = self._mapping if mapping is None else min(self._mapping, mapping)
        if inhibit := extensions.find(issuer, x509.InhibitAnyPolicy):
            self._any = min(self._any, inhibit.skip_certs)

    def finish(self, peer: x509.Certificate) -> None:
        """The wrap-up (6.1.5 a, b and g).

        :raises CertificateError: no policy is left that is wanted, where one is required.
        """
        self._explicit = max(self._explicit - 1, 0)
        constraints = extensions.find(peer, x509.PolicyConstraints)
        if constraints and constraints.require_explicit_policy == 0:
            self._explicit = 0
        wanted = self._wanted | {_ANY}
        self._require(any(_ANY in self._wanted or roots & wanted for roots in self._roots.values()))

    def _root(self, policy: x509.ObjectIdentifier) -> _Policies:
        """The roots of a policy by which a certificate is called; empty if it is not valid."""
        return self._roots.get(policy) or (
            frozenset({policy}) if _ANY in self._roots else frozenset()
        )

    def _require(self, fulfilled: bool) -> None:
        if not (self._explicit or fulfilled):
            raise CertificateError("a policy is required, and the path is valid for none")
