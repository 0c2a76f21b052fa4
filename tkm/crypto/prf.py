# SPDX-License-Identifier: GPL-2.0-or-later
"""prf and prf+ (RFC 7296, 2.13)."""

import hmac
from typing import Final, NamedTuple

from tkm.secret import Secret, wipe_bytes

_BLOCKS: Final = 255
"""prf+ counts its blocks in one octet, from 1."""

Octets = bytes | bytearray


class Prf(NamedTuple):
    """A pseudorandom function made of HMAC.

    :ivar hash: name of the hash function.
    :ivar length: octets of the output, and of the preferred key.
    """

    hash: str
    length: int

    def __call__(self, key: Octets, *parts: Octets) -> Secret:
        """prf(key, parts one behind the other)."""
        with Secret(bytearray().join(parts)) as data:
            return Secret.take(hmac.digest(key, data.octets, self.hash))

    def plus(self, key: Octets, seed: Octets, length: int) -> Secret:
        """The first ``length`` octets of prf+(key, seed).

        :raises ValueError: prf+ is not defined for that many.
        """
        blocks = -(-length // self.length)
        if blocks > _BLOCKS:
            raise ValueError(f"prf+ ends at {_BLOCKS * self.length} octets")
        # One buffer of the final size: a growing one would leave copies behind.
        stream = bytearray(blocks * self.length)
        block = b""
        for number in range(blocks):
            with Secret(bytearray().join((block, seed, bytes([number + 1])))) as data:
                wipe_bytes(block)
                block = hmac.digest(key, data.octets, self.hash)
            stream[number * self.length : (number + 1) * self.length] = block
        wipe_bytes(block)
        keys, rest = Secret(stream).split(length, len(stream) - length)
        rest.wipe()
        return keys


PRF_HMAC_SHA2_512: Final = Prf("sha512", 64)
"""RFC 4868, 2.1.2"""
