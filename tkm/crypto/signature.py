# SPDX-License-Identifier: GPL-2.0-or-later
"""AUTH: what is signed, and the schemes that sign it (RFC 7296, 2.15; RFC 7427).

The scheme of method 14 stands in front of the signature as an AlgorithmIdentifier. The few that we
accept are known octet for octet (RFC 7427, A), so nothing is parsed that the peer has made up.
"""

from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm

from tkm.errors import AuthenticationError, SigningError, refusing

RSA_DIGITAL_SIGNATURE: Final = 1
"""AUTH method of RFC 7296: PKCS #1 v1.5 with SHA-1."""
DIGITAL_SIGNATURE: Final = 14
"""AUTH method of RFC 7427."""


class Scheme(NamedTuple):
    """A way to sign with RSA."""

    padding: PKCS1v15 | PSS
    hash: HashAlgorithm


def _pkcs1(last: int) -> bytes:
    """AlgorithmIdentifier of sha*WithRSAEncryption: 1.2.840.113549.1.1.``last``, NULL."""
    return bytes.fromhex("300d06092a864886f70d0101") + bytes([last]) + b"\x05\x00"


def _pss(last: int, salt: int) -> bytes:
    """AlgorithmIdentifier of RSASSA-PSS with SHA-2 ``last`` (2.16.840.1.101.3.4.2.*), MGF1 same."""
    digest = bytes.fromhex("300d06096086480165030402") + bytes([last]) + b"\x05\x00"
    mask = _tlv(0x30, bytes.fromhex("06092a864886f70d010108") + digest)
    parameters = _tlv(0xA0, digest) + _tlv(0xA1, mask) + _tlv(0xA2, _tlv(0x02, bytes([salt])))
    oid = bytes.fromhex("06092a864886f70d01010a")
    return _tlv(0x30, oid + _tlv(0x30, parameters))


def _tlv(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


_SHA2: Final = {2: (SHA256(), 11, 1, 32), 3: (SHA384(), 12, 2, 48), 4: (SHA512(), 13, 3, 64)}
"""By hash algorithm number of RFC 7427: hash, last arcs of its OIDs (PKCS #1, SHA-2), length."""

_SCHEMES: Final = {
    **{_pkcs1(rsa): Scheme(PKCS1v15(), sha) for sha, rsa, _, _ in _SHA2.values()},
    **{
        _pss(sha2, length): Scheme(PSS(MGF1(sha), length), sha)
        for sha, _, sha2, length in _SHA2.values()
    },
}
"""What we accept under method 14, by AlgorithmIdentifier."""


class Auth(NamedTuple):
    """An AUTH payload's method and data."""

    method: int
    data: bytes


def signed_octets(
    init_message: bytes, nonce: bytes, maced_id: bytes, int_auth: bytes = b""
) -> bytes:
    """What AUTH signs: the signer's first message, the other's nonce, prf(SK_p, ID payload)."""
    return init_message + nonce + maced_id + int_auth


def sign(
    key: RSAPrivateKey, octets: bytes, hash_algorithms: tuple[int, ...], *, sha1: bool = False
) -> Auth:
    """Sign in the way that the peer understands.

    :param hash_algorithms: those the peer has announced (RFC 7427, 4).
    :param sha1: if none of them is ours, method 1 is allowed.
    :raises SigningError: the key is not usable, or there is no hash to sign with.
    """
    chosen = next((_SHA2[number] for number in _preferred(key) if number in hash_algorithms), None)
    try:
        if chosen is None:
            if not sha1:
                raise SigningError(
                    "the peer announces no SHA-2 hash (RFC 7427) and no policy of this identity "
                    "has allow_sha1"
                )
            return Auth(RSA_DIGITAL_SIGNATURE, key.sign(octets, PKCS1v15(), SHA1()))
        identifier = _pkcs1(chosen[1])
        signature = key.sign(octets, PKCS1v15(), chosen[0])
        return Auth(DIGITAL_SIGNATURE, bytes([len(identifier)]) + identifier + signature)
    except ValueError as error:
        raise SigningError(str(error)) from error


def _preferred(key: RSAPrivateKey) -> tuple[int, ...]:
    """SHA-2 of about the key's own strength first."""
    return (2, 3, 4) if key.key_size <= 3072 else (3, 4, 2)


def verify(key: RSAPublicKey, octets: bytes, auth: Auth, *, sha1: bool = False) -> None:
    """Check a peer's AUTH payload.

    :param sha1: method 1 is allowed.
    :raises AuthenticationError: it does not prove that the peer has the key.
    """
    with refusing(AuthenticationError, "the signature cannot be verified"):
        if auth.method == RSA_DIGITAL_SIGNATURE and not sha1:
            raise AuthenticationError(
                "AUTH method 1 (SHA-1) is not accepted: its policy has no allow_sha1"
            )
        scheme, signature = _scheme(auth)
        # A signature is as long as the modulus; some signers leave out leading zeros.
        signature = signature.rjust(key.key_size + 7 >> 3, b"\0")
        try:
            key.verify(signature, octets, scheme.padding, scheme.hash)
        except InvalidSignature:
            raise AuthenticationError("the signature is wrong") from None


def _scheme(auth: Auth) -> tuple[Scheme, bytes]:
    if auth.method == RSA_DIGITAL_SIGNATURE:
        return Scheme(PKCS1v15(), SHA1()), auth.data
    if auth.method != DIGITAL_SIGNATURE:
        raise AuthenticationError(f"AUTH method {auth.method} is not accepted")
    end = 1 + int.from_bytes(auth.data[:1])
    try:
        return _SCHEMES[auth.data[1:end]], auth.data[end:]
    except KeyError:
        raise AuthenticationError("the signature scheme is not accepted") from None
