# SPDX-License-Identifier: GPL-2.0-or-later
"""The MODP groups of RFC 3526.

The only place that knows finite-field Diffie-Hellman, because the library has announced to part
with it one day; until then nothing else does it as fast (private exponents of twice the group's
strength, RFC 7919, 5.2) and in constant time.
"""

from __future__ import annotations

import warnings

from cryptography.hazmat.primitives.asymmetric import dh
from cryptography.utils import CryptographyDeprecationWarning

from tkm.crypto.secret import Secret
from tkm.errors import PublicValueError


def _modp(bits: int, constant: int) -> dh.DHParameters:
    """The safe prime 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) pi) + constant), generator 2."""
    prime = (1 << bits) - (1 << bits - 64) - 1 + (_pi(bits - 130) + constant << 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return dh.DHParameterNumbers(prime, 2).parameters()


def _pi(bits: int) -> int:
    """floor(2^bits pi), by Machin's formula: pi = 16 atan(1/5) - 4 atan(1/239)."""
    guard = 32
    unit = 1 << bits + guard

    def arctan_of_inverse(x: int) -> int:
        term = total = unit // x
        divisor, sign = 1, 1
        while term:
            term //= x * x
            divisor, sign = divisor + 2, -sign
            total += sign * (term // divisor)
        return total

    return (16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)) >> guard


class ModpGroup:
    """A MODP group, made when it is first used."""

    def __init__(self, bits: int, constant: int) -> None:
        self.octets = bits // 8
        self._description = bits, constant
        self._parameters: dh.DHParameters | None = None

    @property
    def parameters(self) -> dh.DHParameters:
        """The group as the library wants it."""
        if self._parameters is None:
            self._parameters = _modp(*self._description)
        return self._parameters

    def generate(self) -> ModpPrivateValue:
        """A fresh private value."""
        return ModpPrivateValue(self)


class ModpPrivateValue:
    """A private exponent; the library holds it and frees it."""

    def __init__(self, group: ModpGroup) -> None:
        self._group = group
        self._private = group.parameters.generate_private_key()

    def public_value(self) -> bytes:
        """See :class:`tkm.crypto.key_exchange.PrivateValue`; as long as the prime."""
        return self._private.public_key().public_numbers().y.to_bytes(self._group.octets, "big")

    def shared_secret(self, public_value: bytes) -> Secret:
        """g^ir, left-padded to the length of the prime (RFC 7296, 2.14).

        RFC 6989, 2.1 has the checks of the peer's value.
        """
        if len(public_value) != self._group.octets:
            raise PublicValueError(
                f"a public value of {len(public_value)} octets in a group of {self._group.octets}"
            )
        parameters = self._group.parameters.parameter_numbers()
        value = int.from_bytes(public_value, "big")
        if not 1 < value < parameters.p - 1:
            raise PublicValueError("the public value is trivial")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            public = dh.DHPublicNumbers(value, parameters).public_key()
        return Secret.take(self._private.exchange(public))

    def __repr__(self) -> str:
        return "<private value>"
