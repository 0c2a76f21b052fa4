# SPDX-License-Identifier: GPL-2.0-or-later
"""Key derivation: SKEYSEED and SK_* (RFC 7296, 2.14 and 2.18; RFC 9370, 2.2), KEYMAT (2.17)."""

from collections.abc import Iterator
from typing import NamedTuple

from tkm.crypto.prf import Prf
from tkm.crypto.secret import Secret, wipe_bytes
from tkm.crypto.suite import Protection, Suite
from tkm.rpc.wipe import Buffer


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
    def lengths(suite: Suite) -> tuple[int, ...]:
        """How many octets each of them has."""
        mac, (integrity, encryption) = suite.prf.length, _lengths(suite.protection)
        return (mac, integrity, integrity, encryption, encryption, mac, mac)


class ChildKeys(Keys):
    """The keys of a Child SA, in the order in which KEYMAT gives them."""

    encryption_i, integrity_i, encryption_r, integrity_r = map(Key, range(4))

    @staticmethod
    def lengths(protection: Protection) -> tuple[int, ...]:
        """How many octets each of them has."""
        integrity, encryption = _lengths(protection)
        return (encryption, integrity) * 2


def _lengths(protection: Protection) -> tuple[int, int]:
    return protection.integrity_key, protection.encryption_key


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


def ike_keys(roles: Roles, shared: Secret, suite: Suite) -> IkeKeys:
    """Keys of a first IKE SA: SKEYSEED = prf(Ni | Nr, g^ir)."""
    return _ike_keys(roles, roles.nonces, shared.octets, suite.prf, suite)


def rekeyed_ike_keys(
    roles: Roles, sk_d: Secret, shared: list[Secret], prf: Prf, suite: Suite
) -> IkeKeys:
    """Keys of an IKE SA that replaces another.

    The old one's ``prf`` makes SKEYSEED, the new one's the keys (RFC 7296, 2.18).

    SKEYSEED = prf(SK_d (old), g^ir | Ni | Nr | SK(1) | … | SK(n)); SK(1) … are the secrets of
    additional key exchanges (RFC 9370, 2.2.4).
    """
    first, *further = (secret.octets for secret in shared)
    key = bytes(sk_d.octets)
    try:
        with Secret(bytearray().join((first, roles.nonces, *further))) as data:
            return _ike_keys(roles, key, data.octets, prf, suite)
    finally:
        wipe_bytes(key)


def updated_ike_keys(roles: Roles, sk_d: Secret, shared: Secret, suite: Suite) -> IkeKeys:
    """Keys after a key exchange in IKE_INTERMEDIATE.

    SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr) (RFC 9370, 2.2.2).
    """
    return rekeyed_ike_keys(roles, sk_d, [shared], suite.prf, suite)


def _ike_keys(roles: Roles, key: bytes, data: Buffer, prf: Prf, suite: Suite) -> IkeKeys:
    """SK_d | … | SK_pr = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr), where SKEYSEED = prf(key, data)."""
    lengths, seed = IkeKeys.lengths(suite), b"".join(roles)
    if prf == suite.prf:
        return IkeKeys(prf.seeded(key, data, seed, sum(lengths)), lengths)
    with Secret.take(prf(key, data)) as skeyseed:
        return IkeKeys(suite.prf.plus(skeyseed.octets, seed, sum(lengths)), lengths)


def child_keys(
    roles: Roles, sk_d: Secret, shared: list[Secret], prf: Prf, protection: Protection
) -> ChildKeys:
    """Keys of a Child SA.

    KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr [| SK(1) | …]); RFC 9370, 2.2.4 has the secrets of
    additional key exchanges behind the nonces.
    """
    lengths = ChildKeys.lengths(protection)
    parts: list[Buffer] = [secret.octets for secret in shared]
    parts.insert(1, roles.nonces)
    seed = b"".join((*parts, b""))  # of two parts at least: never one of them, but ours to wipe
    try:
        return ChildKeys(prf.plus(sk_d.octets, seed, sum(lengths)), lengths)
    finally:
        wipe_bytes(seed)
