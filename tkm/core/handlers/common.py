# SPDX-License-Identifier: GPL-2.0-or-later
"""What IKE SAs and ESP SAs have in common."""

from tkm.core.kinds import KeyExchange
from tkm.crypto.secret import Secret
from tkm.errors import InvalidId

_ALGORITHMS = 1
"""The one set of algorithms there is (``ia_id``, ``ea_id``): AES-CBC-256 with HMAC-SHA2-512."""


def check_algorithms(number: int) -> None:
    """Check the number of a set of algorithms.

    :raises InvalidId: there is none.
    """
    if number != _ALGORITHMS:
        raise InvalidId(f"there are no algorithms {number}")


def secrets_of(*exchanges: KeyExchange) -> list[Secret]:
    """The shared secrets of complete key exchanges, still theirs."""
    return [ke.shared for ke in exchanges if ke.shared is not None]
