# SPDX-License-Identifier: GPL-2.0-or-later
"""What IKE SAs and ESP SAs have in common."""

from collections.abc import Sequence

from tkm.core.kinds import KeyExchange
from tkm.crypto.secret import Secret
from tkm.errors import InvalidId
from tkm.proposals import Proposal


def check_algorithms(
    proposals: Sequence[Proposal], number: int, methods: Sequence[int] = ()
) -> None:
    """Check that a policy allows algorithms: the IKE daemon that agrees on them may be subverted.

    :param proposals: the policy's.
    :param number: of a suite.
    :param methods: of all key exchanges, in their order.
    :raises InvalidId: none of the proposals has them together.
    """
    if not any(proposal.permits(number, methods) for proposal in proposals):
        named = ", ".join(map(str, methods)) or "none"
        raise InvalidId(
            f"the policy does not allow algorithms {number:#x} with key exchange methods {named}"
        )


def secrets_of(*exchanges: KeyExchange) -> list[Secret]:
    """The shared secrets of complete key exchanges, still theirs."""
    return [ke.shared for ke in exchanges if ke.shared is not None]
