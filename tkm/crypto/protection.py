# SPDX-License-Identifier: GPL-2.0-or-later
"""The Encrypted payload: IV | ciphertext | ICV (RFC 7296, 3.14; RFC 5282 for AEAD ciphers).

The IV of CBC is random. An AEAD cipher must never get one twice with the same key, so it is a
count; the nonce is the salt that follows the key, then the IV (RFC 5282, 4; RFC 7634, 2.1).
"""

import hmac
import os
from collections.abc import Callable
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tkm.algorithms import Integrity
from tkm.crypto.secret import Secret
from tkm.crypto.suite import Protection
from tkm.errors import IntegrityError, InvalidParameter
from tkm.rpc.wipe import Buffer

_BLOCK: Final = 16
"""Octets of a block of AES, and of an IV of CBC."""

_Aead = AESGCM | AESCCM | ChaCha20Poly1305

_AEADS: Final[dict[int, Callable[[Buffer], _Aead]]] = {
    14: lambda key: AESCCM(key, tag_length=8),
    20: AESGCM,
    28: ChaCha20Poly1305,
}
"""By transform id."""


class PacketKeys(NamedTuple):
    """Keys of one direction of an IKE SA.

    :ivar encryption: with its salt.
    :ivar integrity: empty for an AEAD cipher.
    """

    encryption: Secret
    integrity: Secret


def protect(
    protection: Protection, keys: PacketKeys, number: int, aad: Buffer, plain: Buffer
) -> bytes:
    """IV | ciphertext | ICV over ``aad`` and both.

    :param number: of the packet among all that these keys protect.
    :raises InvalidParameter: ``plain`` is not padded to whole blocks.
    """
    block = protection.encryption.block
    if not plain or len(plain) % block:
        raise InvalidParameter(f"{len(plain)} octets are not whole blocks")
    if protection.integrity is None:
        iv = number.to_bytes(protection.encryption.iv, "big")
        cipher, nonce = _aead(protection, keys.encryption, iv)
        return iv + cipher.encrypt(nonce, plain, aad)
    iv = os.urandom(_BLOCK)
    cbc = Cipher(AES(keys.encryption.octets), CBC(iv)).encryptor()
    sealed = iv + cbc.update(plain) + cbc.finalize()
    return sealed + _icv(protection.integrity, keys.integrity, aad, sealed)


def unprotect(protection: Protection, keys: PacketKeys, aad: Buffer, sealed: Buffer) -> memoryview:
    """The padded plain text of ``sealed``, IV | ciphertext | ICV; the caller wipes it.

    :raises IntegrityError: the octets are not what the peer has sent.
    """
    encryption, iv = protection.encryption, protection.encryption.iv
    length = len(sealed) - iv - protection.icv
    if length < encryption.block or length % encryption.block:
        raise IntegrityError(f"{len(sealed)} octets are not IV, whole blocks and ICV")
    if protection.integrity is None:
        cipher, nonce = _aead(protection, keys.encryption, bytes(sealed[:iv]))
        plain = memoryview(bytearray(length))
        try:
            cipher.decrypt_into(nonce, sealed[iv:], aad, plain)
        except InvalidTag:
            raise IntegrityError("the ICV is wrong") from None
        return plain
    body, icv = sealed[: -protection.icv], sealed[-protection.icv :]
    if not hmac.compare_digest(_icv(protection.integrity, keys.integrity, aad, body), icv):
        raise IntegrityError("the ICV is wrong")
    cbc = Cipher(AES(keys.encryption.octets), CBC(body[:iv])).decryptor()
    plain = memoryview(bytearray(len(body) - 1))  # the library wants room for one block more
    return plain[: cbc.update_into(body[iv:], plain)]


def _aead(protection: Protection, key: Secret, iv: bytes) -> tuple[_Aead, bytes]:
    """The cipher with its key, and the nonce of a packet."""
    octets, end = memoryview(key.octets), protection.encryption.key
    return _AEADS[protection.encryption.id](octets[:end]), bytes(octets[end:]) + iv


def _icv(integrity: Integrity, key: Secret, aad: Buffer, sealed: Buffer) -> bytes:
    return hmac.digest(key.octets, b"".join((aad, sealed)), integrity.hash)[: integrity.icv]
