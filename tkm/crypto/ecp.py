# SPDX-License-Identifier: GPL-2.0-or-later
"""Elliptic curves: random ECP groups (RFC 5903), Curve25519 and Curve448 (RFC 8031)."""

import importlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from tkm.crypto.secret import Secret
from tkm.errors import PublicValueError

importlib.import_module("cryptography.hazmat.backends.openssl.backend")
# The library would import it when a curve is first used, and the sandbox opens no file.

_CURVES: Final = {each.name: each for each in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())}
_PrivateKey = X25519PrivateKey | X448PrivateKey
_PublicKey = X25519PublicKey | X448PublicKey

_MONTGOMERY: Final[dict[str, tuple[type[_PrivateKey], type[_PublicKey], int]]] = {
    "x25519": (X25519PrivateKey, X25519PublicKey, 32),
    "x448": (X448PrivateKey, X448PublicKey, 56),
}


class EcpCurve:
    """A curve of RFC 5903.

    :param name: the library's.
    """

    def __init__(self, name: str) -> None:
        self.curve = _CURVES[name]
        self.octets = self.curve.key_size + 7 >> 3

    def generate(self) -> "EcpPrivateValue":
        """A fresh private value."""
        return EcpPrivateValue(self)


class EcpPrivateValue:
    """A private scalar; the library holds it and frees it."""

    def __init__(self, curve: EcpCurve) -> None:
        self._curve = curve
        self._private = ec.generate_private_key(curve.curve)

    def public_value(self) -> bytes:
        """x | y, each as long as the field's prime (RFC 5903, 7)."""
        point = self._private.public_key().public_numbers()
        return b"".join(each.to_bytes(self._curve.octets, "big") for each in (point.x, point.y))

    def shared_secret(self, public_value: bytes) -> Secret:
        """The x coordinate alone (RFC 5903, 7).

        The library checks that the peer's point is on the curve, and not at infinity (RFC 6989,
        2.3).
        """
        length = self._curve.octets
        if len(public_value) != 2 * length:
            raise PublicValueError(
                f"a public value of {len(public_value)} octets, not {2 * length}"
            )
        x, y = (int.from_bytes(public_value[at : at + length], "big") for at in (0, length))
        try:
            public = ec.EllipticCurvePublicNumbers(x, y, self._curve.curve).public_key()
        except ValueError:
            raise PublicValueError("the public value is not a point of the curve") from None
        return Secret.take(self._private.exchange(ec.ECDH(), public))

    def __repr__(self) -> str:
        return "<private value>"


class Montgomery:
    """Curve25519 or Curve448.

    :param name: of its function.
    """

    def __init__(self, name: str) -> None:
        self.private_key, self.public_key, self.octets = _MONTGOMERY[name]

    def generate(self) -> "MontgomeryPrivateValue":
        """A fresh private value."""
        return MontgomeryPrivateValue(self)


class MontgomeryPrivateValue:
    """A private scalar; the library holds it and frees it."""

    def __init__(self, curve: Montgomery) -> None:
        self._curve = curve
        self._private: _PrivateKey = curve.private_key.generate()

    def public_value(self) -> bytes:
        """The u coordinate, in little-endian order (RFC 8031, 3.1)."""
        return self._private.public_key().public_bytes_raw()

    def shared_secret(self, public_value: bytes) -> Secret:
        """Likewise; never zero, which a point of low order would give (RFC 8031, 2.2)."""
        length = self._curve.octets
        if len(public_value) != length:
            raise PublicValueError(f"a public value of {len(public_value)} octets, not {length}")
        public = self._curve.public_key.from_public_bytes(public_value)
        try:
            return Secret.take(self._private.exchange(public))  # type: ignore[arg-type]
        except ValueError:
            raise PublicValueError("the public value is of low order") from None

    def __repr__(self) -> str:
        return "<private value>"
