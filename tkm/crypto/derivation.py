# SPDX-License-Identifier: GPL-2.0-or-later
"""Key derivation: SKEYSEED and SK_* (RFC 7296, 2.14 and 2.18; RFC 9370, 2.2), KEYMAT (2.17)."""

from typing import NamedTuple

from tkm.crypto.prf import PRF_HMAC_SHA2_512, Octets, Prf
from tkm.secret import Secret, wipe_bytes

ENCRYPTION_KEY = 32
"""Octets of a key of ENCR_AES_CBC with 256 bits."""
INTEGRITY_KEY = 64
"""Octets of a key of AUTH_HMAC_SHA2_512_256 (RFC 4868, 2.1.1)."""


class IkeKeys(NamedTuple):
    """The keys of an IKE SA: *i* protects what the initiator sends, *r* the responder."""

    d: Secret
    ai: Secret
    ar: Secret
    ei: Secret
    er: Secret
    pi: Secret
    pr: Secret

    @staticmethod
    def lengths(prf: Prf) -> tuple[int, ...]:
        """How many octets each of them has."""
        mac = prf.length
        return (mac, INTEGRITY_KEY, INTEGRITY_KEY, ENCRYPTION_KEY, ENCRYPTION_KEY, mac, mac)

    def wipe(self) -> None:
        """Destroy them all."""
        for key in self:
            key.wipe()


class ChildKeys(NamedTuple):
    """The keys of a Child SA, in the order in which KEYMAT gives them."""

    encryption_i: Secret
    integrity_i: Secret
    encryption_r: Secret
    integrity_r: Secret

    def wipe(self) -> None:
        """Destroy them all."""
        for key in self:
            key.wipe()


class Roles(NamedTuple):
    """Nonces and SPIs of an exchange by role, as octets from the wire."""

    nonce_i: bytes
    nonce_r: bytes
    spi_i: bytes = b""
    spi_r: bytes = b""

    @classmethod
    def of(cls, initiator: bool, loc: tuple[bytes, bytes], rem: tuple[bytes, bytes]) -> "Roles":
        """From what is ours and what is the peer's: (nonce, SPI) each."""
        (nonce_i, spi_i), (nonce_r, spi_r) = (loc, rem) if initiator else (rem, loc)
        return cls(nonce_i, nonce_r, spi_i, spi_r)

    @property
    def nonces(self) -> bytes:
        """Ni | Nr"""
        return self.nonce_i + self.nonce_r


def ike_keys(roles: Roles, shared: Secret, prf: Prf = PRF_HMAC_SHA2_512) -> IkeKeys:
    """Keys of a first IKE SA: SKEYSEED = prf(Ni | Nr, g^ir)."""
    return _ike_keys(roles, roles.nonces, shared.octets, prf)


def rekeyed_ike_keys(
    roles: Roles, sk_d: Secret, shared: list[Secret], prf: Prf = PRF_HMAC_SHA2_512
) -> IkeKeys:
    """Keys of an IKE SA that replaces another.

    SKEYSEED = prf(SK_d (old), g^ir | Ni | Nr | SK(1) | … | SK(n)); SK(1) … are the secrets of
    additional key exchanges (RFC 9370, 2.2.4).
    """
    first, *further = (secret.octets for secret in shared)
    key = bytes(sk_d.octets)
    try:
        with Secret(bytearray().join((first, roles.nonces, *further))) as data:
            return _ike_keys(roles, key, data.octets, prf)
    finally:
        wipe_bytes(key)


def updated_ike_keys(roles: Roles, sk_d: Secret, shared: Secret) -> IkeKeys:
    """Keys after a key exchange in IKE_INTERMEDIATE.

    SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr) (RFC 9370, 2.2.2).
    """
    return rekeyed_ike_keys(roles, sk_d, [shared])


def _ike_keys(roles: Roles, key: bytes, data: Octets, prf: Prf) -> IkeKeys:
    """SK_d | … | SK_pr = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr), where SKEYSEED = prf(key, data)."""
    lengths = IkeKeys.lengths(prf)
    return IkeKeys(*prf.seeded(key, data, b"".join(roles), sum(lengths)).split(*lengths))


def child_keys(
    roles: Roles, sk_d: Secret, shared: list[Secret], prf: Prf = PRF_HMAC_SHA2_512
) -> ChildKeys:
    """Keys of a Child SA.

    KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr [| SK(1) | …]); RFC 9370, 2.2.4 has the secrets of
    additional key exchanges behind the nonces.
    """
    lengths = (ENCRYPTION_KEY, INTEGRITY_KEY) * 2
    parts: list[Octets] = [secret.octets for secret in shared]
    parts.insert(1, roles.nonces)
    seed = b"".join((*parts, b""))  # of two parts at least: never one of them, but ours to wipe
    try:
        return ChildKeys(*prf.plus(sk_d.octets, seed, sum(lengths)).split(*lengths))
    finally:
        wipe_bytes(seed)
