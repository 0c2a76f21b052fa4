# SPDX-License-Identifier: GPL-2.0-or-later
"""prf and prf+ (RFC 7296, 2.13).

Made of HMAC, prf is HKDF-Extract (RFC 5869, 2.2) and prf+ is HKDF-Expand (2.3) by other names: the
same blocks, the same counter. So the library's do the work, in one call, and write straight into
the buffer that we own.
"""

import hmac
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from tkm.crypto.secret import Secret
from tkm.rpc.wipe import Buffer

_BLOCKS: Final = 255
"""prf+ counts its blocks in one octet, from 1."""


class Prf(NamedTuple):
    """A pseudorandom function made of HMAC."""

    hash: HashAlgorithm

    @classmethod
    def of(cls, name: str) -> "Prf":
        """That of the HMAC with a hash of this name (RFC 4868, 2.1.2)."""
        return _PRFS[name]

    @property
    def length(self) -> int:
        """Octets of the output, and of the preferred key."""
        return self.hash.digest_size

    def __call__(self, key: Buffer, *parts: Buffer) -> bytes:
        """prf(key, parts one behind the other): a proof, and no key."""
        with Secret(bytearray().join(parts)) as data:
            return hmac.digest(key, data.octets, self.hash.name)

    def seeded(self, key: bytes, data: Buffer, seed: bytes, length: int) -> Secret:
        """The first ``length`` octets of prf+(prf(key, data), seed): what is between never shows.

        :raises ValueError: prf+ is not defined for that many.
        """
        stream = self._stream(length)
        HKDF(self.hash, len(stream), key, seed).derive_into(data, stream.octets)
        return stream.cut(length)

    def plus(self, key: Buffer, seed: bytes, length: int) -> Secret:
        """The first ``length`` octets of prf+(key, seed).

        :raises ValueError: prf+ is not defined for that many.
        """
        stream = self._stream(length)
        HKDFExpand(self.hash, len(stream), seed).derive_into(key, stream.octets)
        return stream.cut(length)

    def _stream(self, length: int) -> Secret:
        """Room for ``length`` octets and one block more: of the last block the library leaves a
        copy in freed memory, so the last one is no key.
        """
        most = (_BLOCKS - 1) * self.length
        if length > most:
            raise ValueError(f"prf+ ends at {most} octets")
        return Secret(bytearray(length + self.length))


_PRFS: Final = {each.name: Prf(each) for each in (SHA256(), SHA384(), SHA512())}
