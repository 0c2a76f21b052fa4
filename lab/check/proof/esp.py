# SPDX-License-Identifier: GPL-2.0-or-later
"""One ESP packet opened with one SA's keys (RFC 4303), and no more work than that takes.

What a receiver would check is checked here, in its order: lengths, the ICV, the padding's octets.
scapy opens a sample of the same packets by itself (`lab.check.proof.opinion`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from lab.check.proof.errors import PacketFault
from lab.check.proof.model import Flaw, Sa

HEADER = 8
"""SPI and sequence number."""
TRAILER = 2
"""Pad length and next header."""
DUMMY = 59
"""The next header of a packet that is there to be seen only (RFC 4303, section 2.6)."""
NULL = "ecb(cipher_null)"
_SALT = 4
"""Octets at the end of a key that are the nonce's first (RFC 3686, 4106 and 7634)."""
_AEAD_ICV = 16
_PADDING = bytes(range(1, 256))
"""What padding is (RFC 4303, section 2.4)."""

Decipher = Callable[[bytes, int, int], bytes]
"""Takes the packet, where its IV begins and where the cipher text ends, and gives the plain text.

An AEAD's takes the end of the ICV, and raises InvalidTag."""


class _Cipher(NamedTuple):
    """An encryption algorithm's sizes in octets, and what makes a `Decipher` of a key."""

    iv: int
    block: int
    keys: tuple[int, ...]
    """Lengths of keys, a salt included; none: any."""
    make: Callable[[bytes, bool], Decipher]
    """Takes the key, and whether extended sequence numbers are used."""
    is_aead: bool = False


class Opened(NamedTuple):
    """An ESP packet's contents, without padding."""

    next_header: int
    data: bytes


class Opener:
    """Opens the packets of one SA.

    Raises:
        PacketFault: UNSUPPORTED, for algorithms and key lengths that can't be checked.
    """

    def __init__(self, sa: Sa) -> None:
        cipher = _CIPHERS.get(sa.encryption)
        if cipher is None or not _can_check(sa, cipher):
            raise PacketFault(
                Flaw.UNSUPPORTED,
                f"the SA with SPI {sa.spi:#010x} has an algorithm or key length that can't be "
                f"checked: {sa.encryption} {len(sa.encryption_key) * 8} bits, "
                f"{sa.integrity or 'no integrity'}, ICV {sa.icv_bits} bits",
            )
        self._block = cipher.block
        self._iv_length = cipher.iv
        self._icv_length = sa.icv_bits // 8
        self._decipher = cipher.make(sa.encryption_key, sa.esn)
        self._is_aead = cipher.is_aead
        self._digest = _DIGESTS.get(sa.integrity, "")
        self._integrity_key = sa.integrity_key
        self._high_bits = bytes(4) if sa.esn else b""
        """Of an extended sequence number, below 2^32 (RFC 4303, section 2.2.1)."""

    def open(self, octets: bytes) -> Opened:
        """The contents of an ESP packet, SPI to ICV.

        Raises:
            PacketFault: MALFORMED for a length that can't be, ICV, and PADDING, which comes after
                a good ICV.
        """
        end = len(octets) - self._icv_length
        sealed = end - HEADER - self._iv_length
        if sealed < TRAILER or sealed % self._block:
            raise PacketFault(
                Flaw.MALFORMED,
                f"its {len(octets)} octets leave {sealed} to decipher, no multiple of "
                f"{self._block}",
            )
        if self._is_aead:
            end = len(octets)
        elif not self._is_icv_good(octets, end):
            raise _wrong_icv()
        try:
            plain = self._decipher(octets, HEADER, end)
        except InvalidTag as error:
            raise _wrong_icv() from error
        pad_length = plain[-2]
        data_end = len(plain) - TRAILER - pad_length
        if data_end < 0 or plain[data_end:-TRAILER] != _PADDING[:pad_length]:
            raise PacketFault(
                Flaw.PADDING,
                f"the padding is not 1, 2, … {pad_length} (RFC 4303, section 2.4); "
                "a wrong encryption key looks like this",
            )
        return Opened(plain[-1], plain[:data_end])

    def _is_icv_good(self, octets: bytes, end: int) -> bool:
        covered = octets[:end] + self._high_bits
        icv = hmac.digest(self._integrity_key, covered, self._digest)[: self._icv_length]
        return hmac.compare_digest(icv, octets[end:])


def _wrong_icv() -> PacketFault:
    reason = "the ICV is wrong: the packet was changed, or the key is another"
    return PacketFault(Flaw.ICV, reason)


def _can_check(sa: Sa, cipher: _Cipher) -> bool:
    """Whether an SA's key and ICV have lengths that its algorithms can have."""
    if cipher.keys and len(sa.encryption_key) not in cipher.keys:
        return False
    if cipher.is_aead:
        return not sa.integrity and sa.icv_bits == _AEAD_ICV * 8
    if sa.integrity not in _DIGESTS or sa.icv_bits % 8:
        return False
    return 0 < sa.icv_bits <= len(hmac.digest(b"", b"", _DIGESTS[sa.integrity])) * 8


def _cbc(key: bytes, _: bool) -> Decipher:
    """RFC 3602. The IV is deciphered, too, and dropped: so one context serves for all packets.

    In CBC a block's plain text depends on that block and the one before it, and on nothing else.
    """
    update = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).decryptor().update

    def decipher(octets: bytes, start: int, end: int) -> bytes:
        return update(octets[start:end])[16:]

    return decipher


def _ctr(key: bytes, _: bool) -> Decipher:
    """RFC 3686, section 4: nonce, IV, and a block counter that begins with 1."""
    aes, salt = algorithms.AES(key[:-_SALT]), key[-_SALT:]

    def decipher(octets: bytes, start: int, end: int) -> bytes:
        counter = salt + octets[start : start + 8] + b"\0\0\0\1"
        return Cipher(aes, modes.CTR(counter)).decryptor().update(octets[start + 8 : end])

    return decipher


def _aead(algorithm: type[AESGCM] | type[ChaCha20Poly1305]) -> Callable[[bytes, bool], Decipher]:
    """RFC 4106 and RFC 7634: the SPI and the (extended) sequence number are authenticated, too."""

    def make(key: bytes, esn: bool) -> Decipher:
        decrypt, salt = algorithm(key[:-_SALT]).decrypt, key[-_SALT:]

        def decipher(octets: bytes, start: int, end: int) -> bytes:
            associated = octets[:4] + bytes(4) + octets[4:8] if esn else octets[:HEADER]
            nonce = salt + octets[start : start + 8]
            return decrypt(nonce, octets[start + 8 : end], associated)

        return decipher

    return make


def _null(_: bytes, __: bool) -> Decipher:
    """RFC 2410."""
    return lambda octets, start, end: octets[start:end]


_CIPHERS = {
    "cbc(aes)": _Cipher(16, 16, (16, 24, 32), _cbc),
    "rfc3686(ctr(aes))": _Cipher(8, 4, (20, 28, 36), _ctr),
    "rfc4106(gcm(aes))": _Cipher(8, 4, (20, 28, 36), _aead(AESGCM), is_aead=True),
    "rfc7539esp(chacha20,poly1305)": _Cipher(8, 4, (36,), _aead(ChaCha20Poly1305), is_aead=True),
    NULL: _Cipher(0, 4, (), _null),
}
"""By the kernel's name."""
_DIGESTS = {
    "hmac(sha1)": "sha1",
    "hmac(sha256)": "sha256",
    "hmac(sha384)": "sha384",
    "hmac(sha512)": "sha512",
}
"""The kernel's name → hashlib's."""
