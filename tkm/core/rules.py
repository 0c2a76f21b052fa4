# SPDX-License-Identifier: GPL-2.0-or-later
"""What is allowed, and whom the TKM trusts: the one thing that a reload replaces."""

from dataclasses import dataclass

from tkm.config.keys import PrivateKeys, TrustAnchors
from tkm.config.policy import Config
from tkm.core.kinds import Chain, Endpoint, EspSa
from tkm.core.machine import Context


@dataclass
class Rules:
    """All operations share one of these, and look things up when they need them.

    :ivar keys: private keys of this host.
    :ivar anchors: the CAs that are trusted.
    """

    config: Config
    keys: PrivateKeys
    anchors: TrustAnchors

    def supports(self, context: Context, before: "Rules") -> bool:
        """Whether a context may go on that earlier rules have allowed.

        A Child SA rests on its policy, but for the lifetimes, which are for the next one; an
        authentication on what its policy demands, on the CA at which its chain begins, and on the
        identity that we have signed as.
        """
        if isinstance(context, EspSa):
            return self._traffic(context.sp) == before._traffic(context.sp)
        if isinstance(context, Chain):
            return self._demands(context.ri) == before._demands(context.ri) and (
                context.certificates[0] in self.anchors.values()
            )
        if isinstance(context, Endpoint):
            one, other = (each.config.local_identities.get(context.lc) for each in (self, before))
            return (
                one == other
                and self._demands(context.ri) == before._demands(context.ri)
                and (context.anchor is None or context.anchor in self.anchors.values())
            )
        return True

    def _traffic(self, number: int) -> object:
        policy = self.config.policies.get(number)
        return policy and (policy.mode, policy.local, policy.remote)

    def _demands(self, number: int) -> object:
        policy = self.config.policies.get(number)
        return policy and policy.authentication
