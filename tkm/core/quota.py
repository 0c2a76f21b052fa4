# SPDX-License-Identifier: GPL-2.0-or-later
"""How much one authenticated peer may have, so that it cannot lock out the others.

A peer takes contexts and kernel states only through the policy that it was authenticated for. What
all policies together may have stays below the limit of contexts and the kernel's room; a successor
needs no more than its place beside its predecessor, until that is reset, and collisions (RFC 7296,
2.25) one or two more. Whoever fills its quota waits for its own SAs to end.
"""

from typing import Final

from tkm.core.kinds import Endpoint, EspSa, IkeSa
from tkm.core.machine import Context, Contexts
from tkm.core.rules import Rules
from tkm.errors import QuotaExceeded

QUOTAS: Final[dict[type[Context], int]] = {Endpoint: 8, IkeSa: 16, EspSa: 32}
"""Of each policy: 100 policies have at most 3200 of 4096 contexts, more have smaller shares."""
LEAST: Final = 4
"""An SA, its successor, and the two of a collision: where there are few contexts for many.

More policies than a quarter of the contexts can fill them all together.
"""


class Quotas:
    """Counts what each policy has.

    :param limit: how many contexts of each kind there are for all of them.
    """

    def __init__(self, contexts: Contexts, rules: Rules, limit: int) -> None:
        self._contexts = contexts
        self._rules = rules
        self._limit = limit

    def check(self, kind: type[Context], policy: int) -> None:
        """Check that a policy may have one more.

        :raises QuotaExceeded: it has as many as it may have.
        """
        share = self._limit // max(1, len(self._rules.config.policies))
        most = min(QUOTAS[kind], max(LEAST, share))
        used = sum(_policy_of(each) == policy for each in self._contexts.store(kind).values())
        if used >= most:
            raise QuotaExceeded(
                f"policy {policy} has {used} {kind.table.name} contexts, the most that it may "
                "have: one must be reset first"
            )


def _policy_of(context: Context) -> int:
    """The policy whose peer has it; 0 before a peer is authenticated."""
    if isinstance(context, IkeSa):
        return context.ae.ri
    if isinstance(context, Endpoint):
        return context.ri
    return context.sp if isinstance(context, EspSa) else 0
