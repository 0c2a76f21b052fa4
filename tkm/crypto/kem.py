# SPDX-License-Identifier: GPL-2.0-or-later
"""ML-KEM (FIPS 203) as a key exchange of IKEv2.

The initiator's public value is its encapsulation key, the responder's the ciphertext that it makes
of it: so a responder takes the peer's value first, and has its own then.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)

from tkm.crypto.secret import Secret
from tkm.errors import PublicValueError

_PrivateKey = MLKEM768PrivateKey | MLKEM1024PrivateKey
_PublicKey = MLKEM768PublicKey | MLKEM1024PublicKey

_PARAMETERS: Final[dict[str, tuple[type[_PrivateKey], type[_PublicKey], int, int]]] = {
    "768": (MLKEM768PrivateKey, MLKEM768PublicKey, 1184, 1088),
    "1024": (MLKEM1024PrivateKey, MLKEM1024PublicKey, 1568, 1568),
}
"""Octets of an encapsulation key and of a ciphertext (FIPS 203, table 3)."""


class MlKem:
    """A set of parameters of ML-KEM; 512 is not in the library.

    :param name: of the set.
    """

    def __init__(self, name: str) -> None:
        self.private_key, self.public_key, self.key_octets, self.ciphertext = _PARAMETERS[name]

    def generate(self) -> "MlKemPrivateValue":
        """Our side, whichever it will be."""
        return MlKemPrivateValue(self)


class MlKemPrivateValue:
    """A decapsulation key if our value is asked for first; else what we have encapsulated."""

    def __init__(self, kem: MlKem) -> None:
        self._kem = kem
        self._private: _PrivateKey | None = None
        self._ciphertext = b""

    def public_value(self) -> bytes:
        """The ciphertext if the peer's key is known, else the encapsulation key."""
        if self._ciphertext:
            return self._ciphertext
        if self._private is None:
            self._private = self._kem.private_key.generate()
        return self._private.public_key().public_bytes_raw()

    def shared_secret(self, public_value: bytes) -> Secret:
        """32 octets, of the peer's ciphertext or encapsulation key.

        A wrong ciphertext of the right length gives another secret than the peer's (FIPS 203,
        6.3), which AUTH then shows.
        """
        wanted = self._kem.ciphertext if self._private else self._kem.key_octets
        if len(public_value) != wanted:
            raise PublicValueError(f"a public value of {len(public_value)} octets, not {wanted}")
        if self._private:
            return Secret.take(self._private.decapsulate(public_value))
        try:
            public = self._kem.public_key.from_public_bytes(public_value)
        except ValueError:
            raise PublicValueError("the public value is not an encapsulation key") from None
        shared, self._ciphertext = public.encapsulate()
        return Secret.take(shared)

    def __repr__(self) -> str:
        return "<private value>"
