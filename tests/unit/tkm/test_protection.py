# SPDX-License-Identifier: GPL-2.0-or-later
"""The Encrypted payload under every suite: what one side protects, the other one opens."""

import hmac
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from tkm.algorithms import number_of
from tkm.crypto.protection import PacketKeys, protect, unprotect
from tkm.crypto.secret import Secret
from tkm.crypto.suite import ESP, Protection, esp_protection, ike_suite
from tkm.errors import IntegrityError, InvalidId, InvalidParameter

EVERY = pytest.mark.parametrize("number", ESP, ids="{:#x}".format)
AAD, PLAIN = b"header and generic header", bytes(range(64))


def keys_of(protection: Protection) -> PacketKeys:
    lengths = protection.encryption_key, protection.integrity_key
    return PacketKeys(*(Secret(bytearray(os.urandom(length))) for length in lengths))


def again(keys: PacketKeys) -> PacketKeys:
    return PacketKeys(*(Secret(bytearray(key.octets)) for key in keys))


@EVERY
def test_what_is_protected_is_opened(number: int) -> None:
    protection = ESP[number]
    keys = keys_of(protection)
    sealed = protect(protection, keys, 1, AAD, PLAIN)
    assert len(sealed) == protection.encryption.iv + len(PLAIN) + protection.icv
    assert unprotect(protection, again(keys), AAD, sealed) == PLAIN


@EVERY
def test_any_octet_counts(number: int) -> None:
    protection = ESP[number]
    keys = keys_of(protection)
    sealed = protect(protection, keys, 1, AAD, PLAIN)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(IntegrityError, match="the ICV is wrong"):
            unprotect(protection, keys, AAD, changed)
    with pytest.raises(IntegrityError, match="the ICV is wrong"):
        unprotect(protection, keys, AAD + b"!", sealed)
    with pytest.raises(IntegrityError, match="the ICV is wrong"):
        unprotect(protection, keys_of(protection), AAD, sealed)
    for length in (0, 1, protection.encryption.iv + protection.icv):
        with pytest.raises(IntegrityError, match=f"{length} octets are not IV"):
            unprotect(protection, keys, AAD, sealed[:length])


@pytest.mark.parametrize(
    ("number", "cipher"),
    [
        (number_of(20, 32), AESGCM),
        (number_of(20, 16), AESGCM),
        (number_of(28, 32), ChaCha20Poly1305),
        (number_of(14, 16), lambda key: AESCCM(key, tag_length=8)),
    ],
)
def test_the_nonce_of_an_aead_cipher_is_salt_and_iv(number: int, cipher: type[AESGCM]) -> None:
    """RFC 5282, 4: the salt follows the key; the IV is another one for each packet."""
    protection = ESP[number]
    keys = keys_of(protection)
    key, salt = (
        bytes(keys.encryption.octets[: protection.encryption.key]),
        bytes(keys.encryption.octets[protection.encryption.key :]),
    )
    ivs = set()
    for count in range(1, 4):
        sealed = protect(protection, keys, count, AAD, PLAIN)
        ivs.add(sealed[:8])
        assert cipher(key).decrypt(salt + sealed[:8], sealed[8:], AAD) == PLAIN
    assert len(ivs) == 3


def test_the_icv_of_the_others_is_that_of_hmac() -> None:
    protection = ESP[number_of(12, 16, 12)]
    keys = keys_of(protection)
    sealed = protect(protection, keys, 1, AAD, PLAIN)
    whole = hmac.digest(bytes(keys.integrity.octets), AAD + sealed[:-16], "sha256")
    assert sealed[-16:] == whole[:16]
    assert not sealed.startswith(protect(protection, keys, 1, AAD, PLAIN)[:16])


def test_plain_text_is_in_whole_blocks() -> None:
    cbc = ESP[1]
    for plain in (b"", PLAIN[:15], PLAIN[:17]):
        with pytest.raises(InvalidParameter, match="not whole blocks"):
            protect(cbc, keys_of(cbc), 1, AAD, plain)


@pytest.mark.parametrize(
    "number", [0, 2, number_of(11, 0, 12), number_of(20, 32, 14), 0x0C200E00, 1 << 31]
)
def test_other_numbers_are_none(number: int) -> None:
    with pytest.raises(InvalidId, match="there are no algorithms"):
        esp_protection(number)
    with pytest.raises(InvalidId, match="there are no algorithms"):
        ike_suite(number)


def test_the_original_is_number_one() -> None:
    assert number_of(12, 32, 14) == number_of(12, 32, 14, 7) == 1
    assert ike_suite(1).protection == esp_protection(1)
    assert (ESP[1].encryption_key, ESP[1].integrity_key, ESP[1].icv) == (32, 64, 32)
