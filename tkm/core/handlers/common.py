# SPDX-License-Identifier: GPL-2.0-or-later
"""What IKE SAs and ESP SAs have in common."""

from tkm.core.kinds import KeyExchange
from tkm.crypto.secret import Secret


def secrets_of(*exchanges: KeyExchange) -> list[Secret]:
    """The shared secrets of complete key exchanges, still theirs."""
    return [ke.shared for ke in exchanges if ke.shared is not None]
