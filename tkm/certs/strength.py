# SPDX-License-Identifier: GPL-2.0-or-later
"""The least strength of keys and signatures, for peers, intermediates, CAs and ourselves alike.

=============== ==================================== ==========================================
what            accepted                             source
=============== ==================================== ==========================================
kind of key     RSA, without parameters              RFC 7296, 3.8; RFC 8017, A.1
modulus n       2048 to 16384 bits                   NIST SP 800-131A, 3; what OpenSSL verifies
\\               odd, no factor below 752, no square  NIST SP 800-89, 5.3.3
exponent e      odd, 2 ** 16 < e < 2 ** 256          FIPS 186-5, 5.4
hash            SHA-256, SHA-384, SHA-512            NIST SP 800-131A, 3
=============== ==================================== ==========================================

The hash is that of the signature under a certificate. A trust anchor's own signature proves nothing
and is not looked at (RFC 5280, 6.1).
"""

import math
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import PublicKeyAlgorithmOID

BITS: Final = (2048, 16384)
EXPONENT: Final = (1 << 16, 1 << 256)
"""Both are outside of what is accepted."""
HASHES: Final = frozenset({"sha256", "sha384", "sha512"})

_SMALL_FACTORS: Final = math.prod(
    number
    for number in range(3, 752, 2)
    if all(number % divisor for divisor in range(3, math.isqrt(number) + 1, 2))
)
"""The product of all odd primes below 752."""


def key_fault(key: object) -> str:
    """Why a public key is too weak, or not one that we use; empty if it is good."""
    if not isinstance(key, RSAPublicKey):
        return "is not RSA"
    shortest, longest = BITS
    if not shortest <= key.key_size <= longest:
        return f"has {key.key_size} bits, not {shortest} to {longest}"
    numbers = key.public_numbers()
    n, e = numbers.n, numbers.e
    low, high = EXPONENT
    if not (e % 2 and low < e < high):
        return "has an exponent that is not odd and of 17 to 256 bits"
    # Squares of odd numbers are 1 modulo 8, which is found sooner than a root.
    square = n % 8 == 1 and math.isqrt(n) ** 2 == n
    if n % 2 == 0 or square or math.gcd(n, _SMALL_FACTORS) > 1:
        return "has a modulus that is easily factored"
    return ""


def certificate_fault(certificate: x509.Certificate) -> str:
    """Why a certificate's public key is not accepted; empty if it is."""
    if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        return "is for RSASSA-PSS alone"
    return key_fault(certificate.public_key())


def signature_fault(signed: x509.Certificate | x509.CertificateRevocationList) -> str:
    """Why the signature under a certificate or CRL is too weak; empty if it is good."""
    algorithm = signed.signature_hash_algorithm
    name = algorithm.name if algorithm else "no hash"
    return "" if name in HASHES else f"is signed with {name}"
