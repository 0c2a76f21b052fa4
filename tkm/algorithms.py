# SPDX-License-Identifier: GPL-2.0-or-later
"""The algorithms of IKE and ESP that there are: the one table, which both sides read.

Numbers are IANA's (IKEv2 Parameters, transform types 1 to 4), keywords are strongSwan's, in
proposals such as ``aes256gcm16-prfsha384-x25519-ke1_mlkem768``. What is not here is never
negotiated. Requirement levels are those of RFC 8247 (IKE) and RFC 8221 (ESP); ``-``: they do not
speak of it.
"""

from typing import Final, NamedTuple


class Encryption(NamedTuple):
    """Transform type 1.

    Attributes:
        key: Octets of a key, without the salt.
        has_length: A proposal names the length of the key (RFC 7296, 3.3.5).
        strength: Bits of security.
        iv: Octets of the initialization vector in each packet.
        block: Plain text is padded to a multiple of so many octets.
        salt: Octets of the salt that follows the key (RFC 4106, 4309, 7634).
        icv: Octets of its own integrity check value; 0 if it takes an integrity algorithm.
    """

    id: int
    key: int
    keyword: str
    name: str
    source: str
    strength: int
    ike: str
    esp: str
    iv: int
    block: int = 1
    salt: int = 0
    icv: int = 0
    has_length: bool = True


class Integrity(NamedTuple):
    """Transform type 3.

    Attributes:
        key: Octets of a key.
        icv: Octets of the integrity check value.
        prf: The PRF that comes along if a proposal for IKE names none.
        hash: Of its HMAC, by hashlib's name.
    """

    id: int
    key: int
    keyword: str
    name: str
    source: str
    strength: int
    ike: str
    esp: str
    icv: int
    prf: int
    hash: str


class Prf(NamedTuple):
    """Transform type 2.

    Attributes:
        hash: Of its HMAC, by hashlib's name.
    """

    id: int
    keyword: str
    name: str
    source: str
    strength: int
    ike: str
    hash: str


class Method(NamedTuple):
    """Transform type 4, and 6 to 12: a key exchange method.

    Attributes:
        is_kem: The initiator's value is needed to make the responder's (FIPS 203), so it is good
            for a further key exchange (RFC 9370): there the peer is not guessed at.
    """

    id: int
    keyword: str
    name: str
    source: str
    strength: int
    ike: str
    is_kem: bool = False


ENCRYPTIONS: Final = (
    Encryption(12, 32, "aes256", "AES_CBC", "RFC 3602", 256, "MUST", "MUST", 16, 16),
    Encryption(12, 16, "aes128", "AES_CBC", "RFC 3602", 128, "MUST", "MUST", 16, 16),
    Encryption(20, 32, "aes256gcm16", "AES_GCM_16", "RFC 5282, RFC 4106", 256, "SHOULD", "MUST",
               8, salt=4, icv=16),
    Encryption(20, 16, "aes128gcm16", "AES_GCM_16", "RFC 5282, RFC 4106", 128, "SHOULD", "MUST",
               8, salt=4, icv=16),
    Encryption(28, 32, "chacha20poly1305", "CHACHA20_POLY1305", "RFC 7634", 256, "SHOULD",
               "SHOULD", 8, salt=4, icv=16, has_length=False),
    Encryption(14, 32, "aes256ccm8", "AES_CCM_8", "RFC 5282, RFC 4309", 256, "SHOULD (IoT)",
               "SHOULD (IoT)", 8, salt=3, icv=8),
    Encryption(14, 16, "aes128ccm8", "AES_CCM_8", "RFC 5282, RFC 4309", 128, "SHOULD (IoT)",
               "SHOULD (IoT)", 8, salt=3, icv=8),
)  # fmt: skip
INTEGRITIES: Final = (
    Integrity(14, 64, "sha512", "HMAC_SHA2_512_256", "RFC 4868", 256, "SHOULD", "SHOULD", 32, 7,
              "sha512"),
    Integrity(13, 48, "sha384", "HMAC_SHA2_384_192", "RFC 4868", 192, "-", "-", 24, 6,
              "sha384"),
    Integrity(12, 32, "sha256", "HMAC_SHA2_256_128", "RFC 4868", 128, "MUST", "MUST", 16, 5,
              "sha256"),
)  # fmt: skip
PRFS: Final = (
    Prf(7, "prfsha512", "HMAC_SHA2_512", "RFC 4868", 256, "SHOULD+", "sha512"),
    Prf(6, "prfsha384", "HMAC_SHA2_384", "RFC 4868", 192, "-", "sha384"),
    Prf(5, "prfsha256", "HMAC_SHA2_256", "RFC 4868", 128, "MUST", "sha256"),
)
METHODS: Final = (
    Method(31, "x25519", "CURVE_25519", "RFC 8031", 128, "-"),
    Method(19, "ecp256", "ECP_256", "RFC 5903", 128, "SHOULD"),
    Method(20, "ecp384", "ECP_384", "RFC 5903", 192, "-"),
    Method(21, "ecp521", "ECP_521", "RFC 5903", 256, "-"),
    Method(32, "x448", "CURVE_448", "RFC 8031", 224, "-"),
    Method(16, "modp4096", "MODP_4096", "RFC 3526", 150, "-"),
    Method(15, "modp3072", "MODP_3072", "RFC 3526", 128, "-"),
    Method(14, "modp2048", "MODP_2048", "RFC 3526", 112, "MUST"),
    Method(17, "modp6144", "MODP_6144", "RFC 3526", 175, "-"),
    Method(18, "modp8192", "MODP_8192", "RFC 3526", 200, "-"),
    Method(36, "mlkem768", "ML_KEM_768", "RFC 9370, FIPS 203", 192, "-", is_kem=True),
    Method(37, "mlkem1024", "ML_KEM_1024", "RFC 9370, FIPS 203", 256, "-", is_kem=True),
)

ORIGINAL: Final = 1
"""Number of the one suite of the original TKM, for IKE and ESP alike: AES_CBC with 256 bits,
HMAC_SHA2_512_256, PRF_HMAC_SHA2_512."""


def number_of(encryption: int, key: int, integrity: int = 0, prf: int = 0) -> int:
    """The number of a suite in tkm-rpc (``ia``, ``ea``): four octets, or ``ORIGINAL``.

    Args:
        encryption: Transform id, one octet.
        key: Octets of its key, without the salt.
        integrity: Transform id; 0 for an AEAD cipher.
        prf: Transform id; 0 for ESP.
    """
    if (encryption, key, integrity) == (12, 32, 14) and prf in (0, 7):
        return ORIGINAL
    return encryption << 24 | key << 16 | integrity << 8 | prf
