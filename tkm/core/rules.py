# SPDX-License-Identifier: GPL-2.0-or-later
"""What is allowed, and whom the TKM trusts: the one thing that a reload replaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.x509 import Certificate

from tkm.certs import path
from tkm.certs.crls import NOTHING_REVOKED, Revocation
from tkm.config.keys import PrivateKeys, TrustAnchors
from tkm.config.policy import Config
from tkm.core.kinds import Chain, Endpoint, EspSa
from tkm.core.machine import Context
from tkm.errors import CertificateError


@dataclass
class Rules:
    """All operations share one of these, and look things up when they need them.

    :ivar keys: private keys of this host.
    :ivar anchors: the CAs that are trusted.
    :ivar revocation: which certificates of peers and their CAs are revoked.
    """

    config: Config
    keys: PrivateKeys
    anchors: TrustAnchors
    revocation: Revocation = NOTHING_REVOKED

    def supports(self, context: Context, before: "Rules", now: datetime) -> bool:
        """Whether a context may go on that earlier rules have allowed.

        A Child SA rests on its policy, but for the lifetimes, which are for the next one; an
        authentication on what its policy demands, on its chain of certificates, and on the
        identity that we have signed as.
        """
        if isinstance(context, EspSa):
            return self._traffic(context.sp) == before._traffic(context.sp)
        if isinstance(context, Chain):
            is_meant = self._demands(context.ri) == before._demands(context.ri)
            return is_meant and self._trusts(context.certificates, now)
        if isinstance(context, Endpoint):
            one, other = (each.config.local_identities.get(context.lc) for each in (self, before))
            return (
                one == other
                and self._demands(context.ri) == before._demands(context.ri)
                and self._trusts(context.chain, now)
            )
        return True

    def _trusts(self, chain: Sequence[Certificate], now: datetime) -> bool:
        if len(chain) < 2:
            return all(each in self.anchors.values() for each in chain)
        try:
            path.validate(list(chain), now, self.revocation)
        except CertificateError:
            return False
        return chain[0] in self.anchors.values()

    def _traffic(self, number: int) -> object:
        policy = self.config.policies.get(number)
        return policy and (policy.mode, policy.local, policy.remote, policy.proposals.esp)

    def _demands(self, number: int) -> object:
        policy = self.config.policies.get(number)
        return policy and policy.authentication
