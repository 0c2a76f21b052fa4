# SPDX-License-Identifier: GPL-2.0-or-later
"""Suites: algorithms that belong together, by the number that the client names (``ia``, ``ea``).

Nothing else knows how long a key is, or which cipher needs an integrity algorithm beside it.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from tkm.algorithms import (
    ENCRYPTIONS,
    INTEGRITIES,
    PRFS,
    Encryption,
    Integrity,
    number_of,
)
from tkm.crypto.prf import Prf
from tkm.errors import InvalidId


class Protection(NamedTuple):
    """How packets are protected: a cipher, and the integrity algorithm unless it is an AEAD."""

    encryption: Encryption
    integrity: Integrity | None

    @property
    def icv(self) -> int:
        """Octets of the integrity check value."""
        return self.integrity.icv if self.integrity else self.encryption.icv

    @property
    def encryption_key(self) -> int:
        """Octets of an encryption key, with its salt (RFC 5282, 7.1; RFC 4106, 8.1)."""
        return self.encryption.key + self.encryption.salt

    @property
    def integrity_key(self) -> int:
        """Octets of an integrity key; 0 for an AEAD cipher."""
        return self.integrity.key if self.integrity else 0


class Suite(NamedTuple):
    """The algorithms of an IKE SA."""

    protection: Protection
    prf: Prf


def _protections() -> Iterator[Protection]:
    for encryption in ENCRYPTIONS:
        for integrity in (None,) if encryption.icv else INTEGRITIES:
            yield Protection(encryption, integrity)


def _number(protection: Protection, prf: int = 0) -> int:
    encryption, integrity = protection
    return number_of(encryption.id, encryption.key, integrity.id if integrity else 0, prf)


_PRFS: Final = {prf.id: Prf.of(prf.hash) for prf in PRFS}
ESP: Final = {_number(protection): protection for protection in _protections()}
IKE: Final = {
    _number(protection, number): Suite(protection, prf)
    for protection, (number, prf) in product(ESP.values(), _PRFS.items())
}


def ike_suite(number: int) -> Suite:
    """The algorithms of an IKE SA.

    :raises InvalidId: there are none with this number.
    """
    try:
        return IKE[number]
    except KeyError:
        raise InvalidId(f"there are no algorithms {number:#x} for IKE") from None


def esp_protection(number: int) -> Protection:
    """The algorithms of an ESP SA.

    :raises InvalidId: there are none with this number.
    """
    try:
        return ESP[number]
    except KeyError:
        raise InvalidId(f"there are no algorithms {number:#x} for ESP") from None
