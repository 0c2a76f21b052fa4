# SPDX-License-Identifier: GPL-2.0-or-later
"""What IKE SAs and ESP SAs have in common."""

from tkm.core.kinds import KeyExchange
from tkm.crypto.secret import Secret
from tkm.errors import InvalidId
from tkm.proposals import Allowed


def check_algorithms(allowed: Allowed, number: int, method: int = 0) -> None:
    """Check that a policy allows algorithms: the IKE daemon that agrees on them may be subverted.

    :param number: of a suite.
    :param method: of the first key exchange; 0: there is none.
    :raises InvalidId: it does not.
    """
    if number not in allowed.suites:
        raise InvalidId(f"the policy does not allow algorithms {number:#x}")
    if method and method not in allowed.methods:
        raise InvalidId(f"the policy does not allow key exchange method {method}")


def secrets_of(*exchanges: KeyExchange) -> list[Secret]:
    """The shared secrets of complete key exchanges, still theirs."""
    return [ke.shared for ke in exchanges if ke.shared is not None]
