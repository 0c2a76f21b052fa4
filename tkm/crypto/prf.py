# SPDX-License-Identifier: GPL-2.0-or-later
"""prf and prf+ (RFC 7296, 2.13).

prf+ made of HMAC is HKDF-Expand (RFC 5869, 2.3) by another name: the same blocks, the same counter.
So the library's does the work, in one call, and writes straight into the buffer that we own.
"""

import hmac
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tkm.secret import Secret

_BLOCKS: Final = 255
"""prf+ counts its blocks in one octet, from 1."""

Octets = bytes | bytearray


class Prf(NamedTuple):
    """A pseudorandom function made of HMAC."""

    hash: HashAlgorithm

    @property
    def length(self) -> int:
        """Octets of the output, and of the preferred key."""
        return self.hash.digest_size

    def __call__(self, key: Octets, *parts: Octets) -> Secret:
        """prf(key, parts one behind the other)."""
        with Secret(bytearray().join(parts)) as data:
            return Secret.take(hmac.digest(key, data.octets, self.hash.name))

    def plus(self, key: Octets, seed: bytes, length: int) -> Secret:
        """The first ``length`` octets of prf+(key, seed).

        :raises ValueError: prf+ is not defined for that many.
        """
        if length > _BLOCKS * self.length:
            raise ValueError(f"prf+ ends at {_BLOCKS * self.length} octets")
        stream = Secret(bytearray(length))
        HKDFExpand(self.hash, length, seed).derive_into(key, stream.octets)
        return stream


PRF_HMAC_SHA2_512: Final = Prf(SHA512())
"""RFC 4868, 2.1.2"""
