# SPDX-License-Identifier: GPL-2.0-or-later
"""The Encrypted payload, opened with keys of IKE that the lab exposes (RFC 7296, section 3.14)."""

from __future__ import annotations

import csv
import hmac
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ike.message.header import Header

_ENCRYPTION = "AES-CBC-256 [RFC3602]"
_INTEGRITY = {"HMAC_SHA2_512_256 [RFC4868]": ("sha512", 32)}
"""Wireshark's name -> hash, octets of the ICV."""
_BLOCK = 16
_COLUMNS = 8


class _Keys(NamedTuple):
    """Of one direction."""

    encryption: bytes
    integrity: bytes
    digest: str
    icv: int


class Opener:
    """Opens messages of the IKE SAs whose keys are in `rows`.

    A row that is not understood opens nothing; an IKE SA may have several, for each step of an
    IKE_INTERMEDIATE exchange (RFC 9370, section 2.2.2).
    """

    def __init__(self, rows: Iterable[str]) -> None:
        self._keys: dict[tuple[bytes, bytes, bool], list[_Keys]] = defaultdict(list)
        for cells in csv.reader(rows):
            if len(cells) == _COLUMNS and cells[4] == _ENCRYPTION and cells[7] in _INTEGRITY:
                self._add(cells)

    def _add(self, cells: list[str]) -> None:
        try:
            spi_i, spi_r, ei, er = map(bytes.fromhex, cells[:4])
            ai, ar = map(bytes.fromhex, cells[5:7])
        except ValueError:
            return
        kind = _INTEGRITY[cells[7]]
        self._keys[spi_i, spi_r, True].append(_Keys(ei, ai, *kind))
        self._keys[spi_i, spi_r, False].append(_Keys(er, ar, *kind))

    def open(self, header: Header, message: bytes, protected: bytes) -> bytes | None:
        """What is inside, without padding; None if no key is known or the ICV is wrong.

        Args:
            header: of the message, which names the IKE SA and the direction.
            message: all of its octets, which the ICV covers up to itself.
            protected: IV, ciphertext and ICV, with which the message ends.
        """
        for keys in self._keys.get((header.spi_i, header.spi_r, header.initiator), ()):
            icv = hmac.digest(keys.integrity, message[: -keys.icv], keys.digest)[: keys.icv]
            if hmac.compare_digest(icv, message[-keys.icv :]):
                return _decrypted(keys.encryption, protected[: -keys.icv])
        return None


def _decrypted(key: bytes, octets: bytes) -> bytes | None:
    iv, ciphertext = octets[:_BLOCK], octets[_BLOCK:]
    if not ciphertext or len(ciphertext) % _BLOCK:
        return None
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    plain = cipher.update(ciphertext) + cipher.finalize()
    padding = plain[-1] + 1
    return plain[:-padding] if padding <= len(plain) else None
