# SPDX-License-Identifier: GPL-2.0-or-later
"""AUTH: recorded octets and signatures, the schemes that are accepted, and all that is not."""

import hashlib
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256, SHA384, SHA512
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tkm.vectors import recorded, rsa_certificate
from tests.unit.trusted import pki
from tkm.algorithms import ORIGINAL
from tkm.crypto.signature import Auth, sign, signed_octets, verify
from tkm.crypto.suite import IKE
from tkm.errors import AuthenticationError, SigningError
from tkm.identity import parse

OCTETS = b"what is signed"
# AlgorithmIdentifiers as RFC 7427, A.1 and A.4 print them.
SHA256_RSA = "300d06092a864886f70d01010b0500"
SHA384_RSA = "300d06092a864886f70d01010c0500"
SHA512_RSA = "300d06092a864886f70d01010d0500"
SHA1_RSA = "300d06092a864886f70d0101050500"
PSS_SHA256 = (
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
    "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
)
PSS_DEFAULT = "300d06092a864886f70d01010a3000"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return pki().keys["bob"]


def with_scheme(identifier: str, signature: bytes) -> Auth:
    octets = bytes.fromhex(identifier)
    return Auth(14, bytes([len(octets)]) + octets + signature)


@pytest.mark.parametrize("row", recorded()["auth"], ids=lambda row: f"{row['run']}-{row['signer']}")
def test_recorded_auth(row: Any) -> None:
    octets = signed_octets(
        bytes.fromhex(row["init_message"]),
        bytes.fromhex(row["nonce"]),
        IKE[ORIGINAL].prf(bytes.fromhex(row["sk_p"]), parse(row["identity"]).payload),
    )
    assert hashlib.sha256(octets).hexdigest() == row["octets_sha256"]
    peer: Any = rsa_certificate(row["signer"]).public_key()
    signature = bytes.fromhex(row["signature"])
    verify(peer, octets, Auth(1, signature), sha1=True)
    with pytest.raises(AuthenticationError):
        verify(peer, octets + b"\0", Auth(1, signature), sha1=True)


@pytest.mark.parametrize(
    ("identity", "payload"),
    [
        ("alice@example.org", b"\3\0\0\0alice@example.org"),
        ("gw.example.org", b"\2\0\0\0gw.example.org"),
    ],
)
def test_id_payload(identity: str, payload: bytes) -> None:
    assert parse(identity).payload == payload


ALICE = parse("alice")


def test_int_auth_stands_at_the_end() -> None:
    plain = signed_octets(b"message", b"nonce", b"maced id")
    assert plain == b"messagenoncemaced id"
    assert signed_octets(b"message", b"nonce", b"maced id", b"int auth") == plain + b"int auth"


@pytest.mark.parametrize(
    ("announced", "method", "identifier"),
    [
        ((), 1, ""),
        ((1,), 1, ""),
        ((5, 6, 7), 1, ""),
        ((2,), 14, SHA256_RSA),
        ((3,), 14, SHA384_RSA),
        ((4,), 14, SHA512_RSA),
        ((4, 3, 2, 1), 14, SHA256_RSA),
    ],
)
def test_signing_in_the_way_that_the_peer_understands(
    key: Any, announced: Any, method: int, identifier: Any
) -> None:
    auth = sign(key, OCTETS, announced, sha1=True)
    assert auth.method == method
    if identifier:
        octets = bytes.fromhex(identifier)
        assert auth.data.startswith(bytes([len(octets)]) + octets)
        assert len(auth.data) == 1 + len(octets) + 384
    verify(key.public_key(), OCTETS, auth, sha1=method == 1)


@pytest.mark.parametrize(
    ("identifier", "padding", "algorithm"),
    [
        (SHA256_RSA, PKCS1v15(), SHA256()),
        (SHA384_RSA, PKCS1v15(), SHA384()),
        (SHA512_RSA, PKCS1v15(), SHA512()),
        (PSS_SHA256, PSS(MGF1(SHA256()), 32), SHA256()),
    ],
)
def test_schemes_that_are_accepted(key: Any, identifier: Any, padding: Any, algorithm: Any) -> None:
    auth = with_scheme(identifier, key.sign(OCTETS, padding, algorithm))
    verify(key.public_key(), OCTETS, auth)
    with pytest.raises(AuthenticationError, match="the signature is wrong"):
        verify(key.public_key(), OCTETS[:-1], auth)


@pytest.mark.parametrize(
    "auth",
    [
        Auth(0, b"x" * 384),
        Auth(2, b"x" * 384),
        Auth(9, b"x" * 384),
        Auth(14, b"\0"),
        Auth(14, b"\xff"),
        Auth(14, b"\0" + b"x" * 384),
        with_scheme("300d06092a864886f70d0101040500", b""),
        with_scheme(SHA256_RSA[:-2], b""),
        with_scheme(PSS_DEFAULT, b""),
    ],
    ids=["0", "psk", "ecdsa", "none", "cut", "empty", "md5", "cut scheme", "pss sha1"],
)
def test_other_methods_and_schemes_are_not_accepted(key: Any, auth: Any) -> None:
    with pytest.raises(AuthenticationError, match="not accepted"):
        verify(key.public_key(), OCTETS, auth)


def test_sha_1_is_off(key: Any) -> None:
    with pytest.raises(SigningError, match=r"announces no SHA-2 hash .* has allow_sha1"):
        sign(key, OCTETS, (1, 5))
    with pytest.raises(AuthenticationError, match=r"method 1 \(SHA-1\) is not accepted"):
        verify(key.public_key(), OCTETS, sign(key, OCTETS, (), sha1=True))


@pytest.mark.parametrize(
    ("identifier", "algorithm"), [(SHA1_RSA, SHA1()), ("300d06092a864886f70d0101040500", MD5())]
)
def test_weak_hashes_are_not_accepted_under_method_14(
    key: Any, identifier: Any, algorithm: Any
) -> None:
    auth = with_scheme(identifier, key.sign(OCTETS, PKCS1v15(), algorithm))
    with pytest.raises(AuthenticationError, match="not accepted"):
        verify(key.public_key(), OCTETS, auth)


def test_a_signature_of_one_scheme_is_none_of_another(key: Any) -> None:
    signature = key.sign(OCTETS, PKCS1v15(), SHA256())
    for auth in (Auth(1, signature), with_scheme(SHA512_RSA, signature)):
        with pytest.raises(AuthenticationError, match="the signature is wrong"):
            verify(key.public_key(), OCTETS, auth, sha1=True)


def test_a_signature_without_its_leading_zeros_is_padded(key: Any) -> None:
    # One in 256 has a leading zero; the original leaves it out.
    for number in range(10_000):
        octets = number.to_bytes(4, "big")
        signature = key.sign(octets, PKCS1v15(), SHA1())
        if signature[0] == 0:
            break
    assert signature[0] == 0
    verify(key.public_key(), octets, Auth(1, signature), sha1=True)
    verify(key.public_key(), octets, Auth(1, signature.lstrip(b"\0")), sha1=True)
    with pytest.raises(AuthenticationError):
        verify(key.public_key(), octets, Auth(1, signature[:-1]), sha1=True)
    with pytest.raises(AuthenticationError):
        verify(key.public_key(), octets, Auth(1, b"\0" + signature), sha1=True)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 8 * 384 - 1))
def test_flipped_bits(place: Any) -> None:
    key = pki().keys["bob"]
    auth = _signed()
    data = bytearray(auth.data)
    data[place // 8] ^= 1 << place % 8
    with pytest.raises(AuthenticationError):
        verify(key.public_key(), OCTETS, Auth(1, bytes(data)), sha1=True)


@settings(max_examples=60, deadline=None)
@given(method=st.sampled_from([1, 14]), data=st.binary(min_size=1, max_size=900))
def test_any_octets_are_refused(method: Any, data: Any) -> None:
    with pytest.raises(AuthenticationError):
        verify(pki().keys["bob"].public_key(), OCTETS, Auth(method, data))


def test_the_key_of_another_is_not_enough(key: Any) -> None:
    with pytest.raises(AuthenticationError):
        verify(pki().keys["alice"].public_key(), OCTETS, sign(key, OCTETS, (2,)))


def test_a_key_that_does_not_sign_is_reported() -> None:
    class Broken:
        key_size = 3072

        def sign(self, *_: object) -> bytes:
            raise ValueError("Digest too large for key size")

    with pytest.raises(SigningError, match="too large"):
        sign(cast(RSAPrivateKey, Broken()), OCTETS, (4,))


def _signed() -> Auth:
    if not _SIGNED:
        _SIGNED.append(sign(pki().keys["bob"], OCTETS, (), sha1=True))
    return _SIGNED[0]


_SIGNED: list[Auth] = []
