# SPDX-License-Identifier: GPL-2.0-or-later
"""The Encrypted payload (RFC 7296, 3.14): ENCR_AES_CBC-256, then AUTH_HMAC_SHA2_512_256."""

import hmac
import os
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tkm.crypto.secret import Secret
from tkm.errors import IntegrityError, InvalidParameter
from tkm.rpc.wipe import Buffer

BLOCK: Final = 16
IV: Final = 16
ICV: Final = 32
"""Octets of the integrity check value: half of what HMAC-SHA-512 gives (RFC 4868)."""


def protect(encryption: Secret, integrity: Secret, aad: Buffer, plain: Buffer) -> bytes:
    """IV | ciphertext | ICV over ``aad`` and both.

    :raises InvalidParameter: ``plain`` is not padded to whole blocks.
    """
    if not plain or len(plain) % BLOCK:
        raise InvalidParameter(f"{len(plain)} octets are not whole blocks")
    iv = os.urandom(IV)
    cipher = Cipher(AES(encryption.octets), CBC(iv)).encryptor()
    sealed = iv + cipher.update(plain) + cipher.finalize()
    return sealed + _icv(integrity, aad, sealed)


def unprotect(encryption: Secret, integrity: Secret, aad: Buffer, sealed: Buffer) -> memoryview:
    """The padded plain text of ``sealed``, IV | ciphertext | ICV; the caller wipes it.

    :raises IntegrityError: the octets are not what the peer has sent.
    """
    body, icv = sealed[:-ICV], sealed[-ICV:]
    if len(body) < IV + BLOCK or len(body) % BLOCK:
        raise IntegrityError(f"{len(sealed)} octets are no IV, whole blocks and ICV")
    if not hmac.compare_digest(_icv(integrity, aad, body), icv):
        raise IntegrityError("the ICV is wrong")
    cipher = Cipher(AES(encryption.octets), CBC(body[:IV])).decryptor()
    plain = memoryview(bytearray(len(body) - 1))  # the library wants room for one block more
    return plain[: cipher.update_into(body[IV:], plain)]


def _icv(integrity: Secret, aad: Buffer, sealed: Buffer) -> bytes:
    return hmac.digest(integrity.octets, b"".join((aad, sealed)), "sha512")[:ICV]
