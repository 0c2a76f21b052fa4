# SPDX-License-Identifier: GPL-2.0-or-later
"""One ESP packet opened with one SA's keys (RFC 4303), by scapy's algorithms.

Scapy deciphers and computes the ICV; what the kernel's receiver would check, and scapy does not,
is checked here: lengths, the padding's octets, the next header.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from scapy.layers.ipsec import ESP, AuthAlgo, IPSecIntegrityError, SecurityAssociation

from lab.proof.errors import PacketFault
from lab.proof.model import Flaw, Sa

HEADER = 8
"""SPI and sequence number."""
TRAILER = 2
"""Pad length and next header."""
DUMMY = 59
"""The next header of a packet that is there to be seen only (RFC 4303, section 2.6)."""

_ENCRYPTION = {
    "cbc(aes)": "AES-CBC",
    "rfc3686(ctr(aes))": "AES-CTR",
    "rfc4106(gcm(aes))": "AES-GCM",
    "rfc7539esp(chacha20,poly1305)": "CHACHA20-POLY1305",
    "ecb(cipher_null)": "NULL",
}
"""The kernel's name → scapy's."""
_INTEGRITY: dict[str, type[hashes.HashAlgorithm]] = {
    "hmac(sha1)": hashes.SHA1,
    "hmac(sha256)": hashes.SHA256,
    "hmac(sha384)": hashes.SHA384,
    "hmac(sha512)": hashes.SHA512,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """An ESP packet's contents, without padding."""

    next_header: int
    data: bytes


class Opener:
    """Opens the packets of one SA.

    Raises PacketFault (UNSUPPORTED) for algorithms and key lengths that can't be checked.
    """

    def __init__(self, sa: Sa) -> None:
        self._icv_length = sa.icv_bits // 8
        self._esn = sa.esn
        try:
            self._scapy = SecurityAssociation(
                ESP,
                spi=sa.spi,
                crypt_algo=_ENCRYPTION[sa.encryption],
                crypt_key=sa.encryption_key,
            )
            self._cipher = self._scapy.crypt_algo
            self._cipher.check_key(self._scapy.crypt_key or b"")
            self._mac = _integrity(sa, is_aead=self._cipher.is_aead)
        except (KeyError, TypeError) as error:
            raise PacketFault(
                Flaw.UNSUPPORTED,
                f"the SA with SPI {sa.spi:#010x} has an algorithm or key length that can't be "
                f"checked: {sa.encryption} {len(sa.encryption_key) * 8} bits, "
                f"{sa.integrity or 'no integrity'}, ICV {sa.icv_bits} bits",
            ) from error
        self._integrity_key = sa.integrity_key

    def open(self, octets: bytes) -> Opened:
        """The contents of an ESP packet, SPI to ICV.

        Raises PacketFault: MALFORMED for a length that can't be, ICV, and PADDING, which comes
        after a good ICV.
        """
        self._check_length(octets)
        packet = ESP(octets)
        try:
            if self._mac:
                self._mac.verify(packet, self._integrity_key, esn_en=self._esn)
            plain = self._cipher.decrypt(
                self._scapy,
                packet,
                self._scapy.crypt_key,
                icv_size=self._icv_length,
                esn_en=self._esn,
            )
        except IPSecIntegrityError as error:
            raise PacketFault(
                Flaw.ICV, "the ICV is wrong: the packet was changed, or the key is another"
            ) from error
        if bytes(plain.padding) != bytes(range(1, plain.padlen + 1)):
            raise PacketFault(
                Flaw.PADDING,
                f"the padding is not 1, 2, … {plain.padlen} (RFC 4303, section 2.4); "
                "a wrong encryption key looks like this",
            )
        return Opened(plain.nh, bytes(plain.data))

    def _check_length(self, octets: bytes) -> None:
        block = max(4, self._cipher.block_size)
        sealed = len(octets) - HEADER - self._cipher.iv_size - self._icv_length
        if sealed < TRAILER or sealed % block:
            raise PacketFault(
                Flaw.MALFORMED,
                f"its {len(octets)} octets leave {sealed} to decipher, no multiple of {block}",
            )


def _integrity(sa: Sa, *, is_aead: bool) -> AuthAlgo | None:
    """The ICV's algorithm with the SA's own truncation (scapy's table has fixed ones)."""
    if is_aead:
        # Scapy can check whole tags only.
        if sa.integrity or sa.icv_bits != 128:
            raise TypeError(sa.icv_bits)
        return None
    digest = _INTEGRITY[sa.integrity]
    if not 0 < sa.icv_bits <= digest().digest_size * 8 or sa.icv_bits % 8:
        raise TypeError(sa.icv_bits)
    return AuthAlgo(sa.integrity, HMAC, digest, sa.icv_bits // 8)
