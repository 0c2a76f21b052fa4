# SPDX-License-Identifier: GPL-2.0-or-later
"""Key derivation: SKEYSEED and SK_* (RFC 7296, 2.14 and 2.18; RFC 9370, 2.2), KEYMAT (2.17)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tkm.crypto.prf import PRF_HMAC_SHA2_512, Prf
from tkm.crypto.secret import Secret, wipe_bytes
from tkm.rpc.wipe import Buffer

ENCRYPTION_KEY = 32
"""Octets of a key of ENCR_AES_CBC with 256 bits."""
INTEGRITY_KEY = 64
"""Octets of a key of AUTH_HMAC_SHA2_512_256 (RFC 4868, 2.1.1)."""


class Key:
    """One of the keys that were derived together, by its place among them."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, keys: "Keys", _: type) -> Secret:
        return keys.at(self._place)


class Keys:
    """Keys that were derived together: they stand in one secret, in a row, and end with it.

    :param stream: what they stand in.
    :param lengths: how many octets each of them has.
    """

    def __init__(self, stream: Secret, lengths: tuple[int, ...]) -> None:
        self._stream = stream
        self._lengths = lengths

    def at(self, place: int) -> Secret:
        """The key at that place, still theirs."""
        return self._stream.part(sum(self._lengths[:place]), self._lengths[place])

    def __iter__(self) -> Iterator[Secret]:
        """All of them, in their order."""
        return map(self.at, range(len(self._lengths)))

    def wipe(self) -> None:
        """Destroy them all."""
        self._stream.wipe()


class IkeKeys(Keys):
    """The keys of an IKE SA: *i* protects what the initiator sends, *r* the responder."""

    d, ai, ar, ei, er, pi, pr = map(Key, range(7))

    @staticmethod
    def lengths(prf: Prf) -> tuple[int, ...]:
        """How many octets each of them has."""
        mac = prf.length
        return (mac, INTEGRITY_KEY, INTEGRITY_KEY, ENCRYPTION_KEY, ENCRYPTION_KEY, mac, mac)


class ChildKeys(Keys):
    """The keys of a Child SA, in the order in which KEYMAT gives them."""

    encryption_i, integrity_i, encryption_r, integrity_r = map(Key, range(4))

    LENGTHS: Final = (ENCRYPTION_KEY, INTEGRITY_KEY) * 2


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


def _ike_keys(roles: Roles, key: bytes, data: Buffer, prf: Prf) -> IkeKeys:
    """SK_d | … | SK_pr = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr), where SKEYSEED = prf(key, data)."""
    lengths = IkeKeys.lengths(prf)
    return IkeKeys(prf.seeded(key, data, b"".join(roles), sum(lengths)), lengths)


def child_keys(
    roles: Roles, sk_d: Secret, shared: list[Secret], prf: Prf = PRF_HMAC_SHA2_512
) -> ChildKeys:
    """Keys of a Child SA.

    KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr [| SK(1) | …]); RFC 9370, 2.2.4 has the secrets of
    additional key exchanges behind the nonces.
    """
    lengths = ChildKeys.LENGTHS
    parts: list[Buffer] = [secret.octets for secret in shared]
    parts.insert(1, roles.nonces)
    seed = b"".join((*parts, b""))  # of two parts at least: never one of them, but ours to wipe
    try:
        return ChildKeys(prf.plus(sk_d.octets, seed, sum(lengths)), lengths)
    finally:
        wipe_bytes(seed)
