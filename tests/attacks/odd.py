# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates that are validly signed, but odd, and AUTH data that goes with them.

A CA signs whatever it is given here: no builder of a library is asked, so nothing keeps a key, a
serial number, a date or an extension from being absurd. ``bench/fuzz.py`` draws from the same
parts.
"""

import random
from collections.abc import Callable
from functools import cache, partial
from typing import Final, NamedTuple

from asn1crypto import core
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.unit.trusted import identity, pki

BOB: Final = identity("bob")
RSA: Final = bytes.fromhex("300d06092a864886f70d0101010500")
RSA_PSS: Final = bytes.fromhex("300b06092a864886f70d01010a")
SHA256_RSA: Final = bytes.fromhex("300d06092a864886f70d01010b0500")


def tlv(tag: int, *content: bytes) -> bytes:
    """Tag, length, value (X.690)."""
    octets = b"".join(content)
    length = len(octets)
    if length < 128:
        return bytes([tag, length]) + octets
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + octets


def integer(value: int) -> bytes:
    """INTEGER, negative ones as well."""
    return bytes(core.Integer(value).dump())


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    return bytes(core.ObjectIdentifier(dotted).dump())


def name(*attributes: tuple[str, bytes]) -> bytes:
    """A distinguished name of OIDs and encoded values."""
    return tlv(0x30, *(tlv(0x31, tlv(0x30, oid(kind), value)) for kind, value in attributes))


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    """An extension; ``value`` is its DER, or what is to stand there instead."""
    mark = b"\x01\x01\xff" if critical else b""
    return tlv(0x30, oid(dotted), mark, tlv(0x04, value))


def rsa_spki(n: int, e: int, algorithm: bytes = RSA) -> bytes:
    """SubjectPublicKeyInfo of numbers that need not make a key."""
    return spki(algorithm, tlv(0x30, integer(n), integer(e)))


def spki(algorithm: bytes, key: bytes) -> bytes:
    """SubjectPublicKeyInfo."""
    return tlv(0x30, algorithm, tlv(0x03, b"\0", key))


def library_spki(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    """SubjectPublicKeyInfo of a key that is not RSA."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


SAN: Final = extension("2.5.29.17", tlv(0x30, tlv(0x81, BOB.encode())))
NOT_BEFORE: Final = tlv(0x17, b"200101000000Z")
NOT_AFTER: Final = tlv(0x17, b"491231235959Z")


class Parts(NamedTuple):
    """What a certificate is made of, in DER; by default a good one for bob."""

    spki: bytes = b""
    version: bytes = tlv(0xA0, b"\x02\x01\x02")
    serial: bytes = integer(4711)
    not_before: bytes = NOT_BEFORE
    not_after: bytes = NOT_AFTER
    subject: bytes = name(("2.5.4.3", tlv(0x0C, b"bob")))
    extensions: tuple[bytes, ...] = (SAN,)
    algorithm: bytes = SHA256_RSA
    outer_algorithm: bytes = b""
    issuer: bytes = b""


def signed(parts: Parts, mangle: Callable[[bytes], bytes] = bytes) -> bytes:
    """The certificate, signed by the tests' root CA as ``algorithm`` says, or with SHA-256.

    ``mangle`` changes what is signed before it is.
    """
    root = pki().ca.root
    tbs = tlv(
        0x30,
        parts.version,
        parts.serial,
        parts.algorithm,
        parts.issuer or root.certificate.x509.subject.public_bytes(),
        tlv(0x30, parts.not_before, parts.not_after),
        parts.subject,
        parts.spki or rsa_spki(*numbers("bob")),
        tlv(0xA3, tlv(0x30, *parts.extensions)) if parts.extensions else b"",
    )
    tbs = mangle(tbs)
    signature = root.key.rsa.sign(tbs, *_SIGNING.get(parts.algorithm, _SIGNING[SHA256_RSA]))
    algorithm = parts.outer_algorithm or parts.algorithm
    return tlv(0x30, tbs, algorithm, tlv(0x03, b"\0", signature))


def pss(sha: int, salt: int, mask: int, null: bytes = b"\x05\x00") -> bytes:
    """AlgorithmIdentifier of RSASSA-PSS: last arcs of SHA-2's OIDs, and the salt's length."""
    digest, other = (tlv(0x30, oid(f"2.16.840.1.101.3.4.2.{arc}"), null) for arc in (sha, mask))
    mgf = tlv(0x30, oid("1.2.840.113549.1.1.8"), other)
    parameters = tlv(0x30, tlv(0xA0, digest), tlv(0xA1, mgf), tlv(0xA2, integer(salt)))
    return tlv(0x30, oid("1.2.840.113549.1.1.10"), parameters)


SHA1_RSA: Final = bytes.fromhex("300d06092a864886f70d0101050500")
MD5_RSA: Final = bytes.fromhex("300d06092a864886f70d0101040500")
SHA512_RSA: Final = bytes.fromhex("300d06092a864886f70d01010d0500")
SHA256_RSA_BARE: Final = bytes.fromhex("300b06092a864886f70d01010b")
RSA_BARE: Final = bytes.fromhex("300b06092a864886f70d010101")
"""Without the parameter NULL, which is to be accepted (RFC 4055, 5)."""
_PSS_512: Final = padding.PSS(padding.MGF1(hashes.SHA512()), 64)
_SIGNING: Final[dict[bytes, tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]]] = {
    SHA256_RSA: (padding.PKCS1v15(), hashes.SHA256()),
    SHA512_RSA: (padding.PKCS1v15(), hashes.SHA512()),
    SHA1_RSA: (padding.PKCS1v15(), hashes.SHA1()),
    MD5_RSA: (padding.PKCS1v15(), hashes.MD5()),
    pss(3, 64, 3): (_PSS_512, hashes.SHA512()),
    SHA256_RSA_BARE: (padding.PKCS1v15(), hashes.SHA256()),
    **{
        pss(1, says, 1, null): (padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
        for says, salt, null in (
            (0, 0, b"\5\0"),
            (20, 20, b"\5\0"),
            (31, 32, b"\5\0"),
            (37, 37, b"\5\0"),
            (32, 32, b""),
        )
    },
    pss(3, 0, 1): (padding.PSS(padding.MGF1(hashes.SHA256()), 0), hashes.SHA512()),
}
"""How a signature of each AlgorithmIdentifier is made."""


def numbers(owner: str) -> tuple[int, int]:
    """n and e of a good key."""
    public = pki().keys[owner].public_key().public_numbers()
    return public.n, public.e


class Key(NamedTuple):
    """An RSA key of numbers that no library would make.

    :ivar d: 0 if there is no private exponent.
    """

    n: int
    e: int
    d: int = 0

    def sign(self, octets: bytes, sha: hashes.HashAlgorithm, prefix: bytes) -> bytes:
        """PKCS #1 v1.5 by hand; it need not fit."""
        digest = hashes.Hash(sha)
        digest.update(octets)
        size = max((self.n.bit_length() + 7) // 8, 1)
        info = prefix + digest.finalize()
        padded = b"\0\1" + b"\xff" * max(size - 3 - len(info), 0) + b"\0" + info
        value = int.from_bytes(padded[-size:], "big")
        return (pow(value, self.d, self.n) if self.d else value).to_bytes(size, "big")


def _key(p: int, q: int, e: int) -> Key:
    try:
        return Key(p * q, e, pow(e, -1, (p - 1) * (q - 1)))
    except ValueError:
        return Key(p * q, e)


@cache
def primes() -> tuple[int, int]:
    """p and q of a key of 3072 bits."""
    private = pki().keys["bob"].private_numbers()
    return private.p, private.q


@cache
def keys() -> dict[str, Key]:
    """Weak and absurd RSA keys by what is wrong with them."""
    p, q = primes()
    n = p * q
    small = rsa.generate_private_key(65537, 1024).private_numbers()
    almost = rsa.generate_private_key(65537, 2048).private_numbers()
    return {
        "33": _key(3, 11, 3),
        "rsa-128": _key(2**61 - 1, 2**89 - 1, 65537),
        "rsa-512": _key(_prime(256), _prime(256), 65537),
        "rsa-1024": _key(small.p, small.q, 65537),
        "rsa-2047": Key((almost.p * almost.q >> 1) | 1, 65537),
        "rsa-16385": Key(1 << 16384 | 1, 65537),
        "rsa-32768": Key(1 << 32767 | 1, 65537),
        "n of 0": Key(0, 65537),
        "n of 1": Key(1, 65537, 1),
        "n below 0": Key(-n, 65537),
        "n even": Key(n + 1, 65537),
        "n a power of two": Key(1 << 3071, 65537),
        "n with a small factor": _key(p * q, 751, 65537),
        "n a square": _key(p, p, 65537),
        "e of 0": Key(n, 0),
        "e of 1": _key(p, q, 1),
        "e of 2": Key(n, 2),
        "e of 3": Key(n, 3),
        "e of 65535": _key(p, q, 65535),
        "e of 65536": Key(n, 65536),
        "e even": Key(n, 1 << 40),
        "e huge": Key(n, (1 << 1024) + 1),
        "e as large as n": Key(n, n),
        "e above n": Key(n, n + 2),
        "e below 0": Key(n, -65537),
    }


def _prime(bits: int) -> int:
    chance = random.Random(bits)
    while True:
        found = chance.getrandbits(bits) | 1 << bits - 1 | 1
        if all(pow(base, found - 1, found) == 1 for base in (2, 3, 5, 7)):
            return found


def _curve(curve: ec.EllipticCurve) -> bytes:
    return library_spki(ec.generate_private_key(curve))


KEYS: Final[dict[str, Callable[[], bytes]]] = {
    "p-256": lambda: _curve(ec.SECP256R1()),
    "p-521": lambda: _curve(ec.SECP521R1()),
    "k-256": lambda: _curve(ec.SECP256K1()),
    "ed25519": lambda: library_spki(ed25519.Ed25519PrivateKey.generate()),
    "a point that is not on its curve": lambda: _curve(ec.SECP256R1())[:-1] + b"\x5a",
    "a curve with parameters of its own": lambda: spki(
        tlv(0x30, oid("1.2.840.10045.2.1"), tlv(0x30, integer(1))), b"\4" + bytes(64)
    ),
    "an unknown algorithm": lambda: spki(tlv(0x30, oid("1.2.3.4")), b"key"),
    "rsa of no octets": lambda: spki(RSA, b""),
    "rsa of noise": lambda: spki(RSA, b"\x30\x80" + bytes(40)),
    "rsa with more than two numbers": lambda: spki(
        RSA, tlv(0x30, *map(integer, (*numbers("bob"), 7)))
    ),
    "rsa for pss alone": lambda: rsa_spki(*numbers("bob"), RSA_PSS),
    "rsa for pss with parameters": lambda: rsa_spki(*numbers("bob"), pss(1, 32, 1)),
    "dsa": lambda: spki(
        tlv(0x30, oid("1.2.840.10040.4.1"), tlv(0x30, *map(integer, (23, 11, 4)))), integer(8)
    ),
}
"""Keys that are not RSA, or not of its form."""

USAGE: Final = "2.5.29.15"
EXTENDED_USAGE: Final = "2.5.29.37"
IPSEC_IKE: Final = "1.3.6.1.5.5.7.3.17"
WEB_SERVER: Final = "1.3.6.1.5.5.7.3.1"
ANY_USAGE: Final = "2.5.29.37.0"


def extended_usage(*purposes: str, critical: bool = True) -> bytes:
    """ExtendedKeyUsage."""
    return extension(EXTENDED_USAGE, tlv(0x30, *map(oid, purposes)), critical=critical)


EXTENSIONS: Final[dict[str, tuple[bytes, ...]]] = {
    "an unknown critical extension": (SAN, extension("1.2.3.4", b"\5\0", critical=True)),
    "an extension twice": (SAN, SAN),
    "an unknown extension twice": (SAN, *[extension("1.2.3.4", b"\5\0")] * 2),
    "a subjectAltName of nothing": (extension("2.5.29.17", tlv(0x30)),),
    "a subjectAltName of noise": (extension("2.5.29.17", b"\x30\x80noise"),),
    "a subjectAltName that is not ASCII": (
        extension("2.5.29.17", tlv(0x30, tlv(0x81, "bøb@tkm-lab.test".encode()))),
    ),
    "a subjectAltName of x400": (extension("2.5.29.17", tlv(0x30, tlv(0xA3, b"\5\0"))),),
    "a subjectAltName of an address of 3 octets": (
        extension("2.5.29.17", tlv(0x30, tlv(0x87, b"\1\2\3"))),
    ),
    "a key usage of nothing": (SAN, extension(USAGE, b"\3\1\0")),
    "a key usage of noise": (SAN, extension(USAGE, b"\3\x7f\7\x80")),
    "basic constraints of noise": (SAN, extension("2.5.29.19", b"\x30\x05hello")),
    "a path length below 0": (
        SAN,
        extension("2.5.29.19", tlv(0x30, b"\x01\x01\xff", integer(-1)), critical=True),
    ),
    "a path length of 2 ** 300": (
        SAN,
        extension("2.5.29.19", tlv(0x30, b"\x01\x01\xff", integer(1 << 300)), critical=True),
    ),
    "critical name constraints": (
        SAN,
        extension("2.5.29.30", tlv(0x30, tlv(0xA0, tlv(0x30, b"\x82\x01x"))), critical=True),
    ),
    "critical policy constraints": (
        SAN,
        extension("2.5.29.36", tlv(0x30, b"\x80\x01\x00"), critical=True),
    ),
    "critical for web servers alone": (SAN, extended_usage(WEB_SERVER)),
    "for web servers alone": (SAN, extended_usage(WEB_SERVER, critical=False)),
    "for the purposes that RFC 4945 gave up": (
        SAN,
        extended_usage(*(f"1.3.6.1.5.5.7.3.{last}" for last in (5, 6, 7))),
    ),
    "critical for a private purpose": (SAN, extended_usage("1.3.6.1.4.1.99999.1")),
    "an extended usage of nothing": (SAN, extended_usage()),
}
"""Extensions that are absurd, or critical and not understood."""

DATES: Final[dict[str, tuple[bytes, bytes]]] = {
    "month 13": (tlv(0x17, b"201301000000Z"), NOT_AFTER),
    "february 30": (tlv(0x17, b"200230000000Z"), NOT_AFTER),
    "no zone": (tlv(0x17, b"200101000000"), NOT_AFTER),
    "year 0": (tlv(0x18, b"00000101000000Z"), NOT_AFTER),
    "a zone of its own": (tlv(0x17, b"200101000000+9900"), NOT_AFTER),
    "letters": (tlv(0x17, b"aabbccddeeffZ"), NOT_AFTER),
    "nothing": (tlv(0x17), tlv(0x17)),
    "the wrong way round": (NOT_AFTER, NOT_BEFORE),
    "second 60": (tlv(0x17, b"200101000060Z"), NOT_AFTER),
    "year 10000": (NOT_BEFORE, tlv(0x18, b"100000101000000Z")),
}
"""notBefore and notAfter that are no dates, or no time."""

SERIALS: Final = {"of no octets": b"\2\0", "not the shortest": b"\2\3\0\0\1"}
"""Serial numbers that are malformed."""

FINE_SERIALS: Final = {
    "below 0": integer(-1),
    "0": integer(0),
    "of 22 octets": integer(1 << 172),
    "of 4,000 octets": integer(1 << 32000),
}
"""Serial numbers that no CA should give. They harm nobody (RFC 5280, 4.1.2.2)."""

OTHERS: Final[dict[str, Callable[[], Parts]]] = {
    "version 1 with extensions": lambda: Parts(version=b""),
    "version 3 minus 7": lambda: Parts(version=tlv(0xA0, integer(-5))),
    "version 99": lambda: Parts(version=tlv(0xA0, integer(99))),
    "a subject of noise": lambda: Parts(subject=b"\x30\x05noise"),
    "a subject that is not UTF-8": lambda: Parts(subject=name(("2.5.4.3", tlv(0x0C, b"\xff\xfe")))),
    "a subject of a number": lambda: Parts(subject=name(("2.5.4.3", integer(7)))),
    "an empty subject and no names": lambda: Parts(subject=tlv(0x30), extensions=()),
    "signed with sha-1": lambda: Parts(algorithm=SHA1_RSA),
    "signed with md5": lambda: Parts(algorithm=MD5_RSA),
    "signed with a default that is spelled out": lambda: Parts(algorithm=pss(1, 20, 1)),
    "signed with another salt than it says": lambda: Parts(algorithm=pss(1, 31, 1)),
    "no seconds": lambda: Parts(not_before=tlv(0x17, b"2001010000Z")),
    "a fraction of a second": lambda: Parts(not_before=tlv(0x18, b"20200101000000.5Z")),
    "version 2 with extensions": lambda: Parts(version=tlv(0xA0, integer(1))),
    "a false criticality that is spelled out": lambda: Parts(
        extensions=(SAN, tlv(0x30, oid("1.2.3.4"), b"\1\1\0", tlv(4, b"\5\0")))
    ),
    "an issuer without a name": lambda: Parts(issuer=tlv(0x30)),
    "another issuer": lambda: Parts(issuer=root_name(shown="tkm-lab,tkm-lab roots")),
    "an issuer's name in two parts": lambda: Parts(issuer=root_name(shown="tkm-lab tkm-lab,root")),
    "signed with a salt below 0": lambda: Parts(algorithm=pss(1, -1, 1)),
    "signed with a salt of 2 ** 70": lambda: Parts(algorithm=pss(1, 1 << 70, 1)),
    "signed with an unknown algorithm": lambda: Parts(algorithm=tlv(0x30, oid("1.2.3.4"))),
    "two signature algorithms": lambda: Parts(outer_algorithm=SHA512_RSA),
    "another signature algorithm inside": lambda: Parts(
        algorithm=tlv(0x30, oid("1.2.3.4")), outer_algorithm=SHA256_RSA
    ),
    "NULL in one of its signature algorithms": lambda: Parts(
        algorithm=SHA256_RSA_BARE, outer_algorithm=SHA256_RSA
    ),
}


FINE_EXTENSIONS: Final[dict[str, tuple[bytes, ...]]] = {
    "no purposes": (SAN,),
    "for ike": (SAN, extended_usage(IPSEC_IKE)),
    "for ike and web servers": (SAN, extended_usage(WEB_SERVER, IPSEC_IKE, critical=False)),
    "for any purpose": (SAN, extended_usage(ANY_USAGE)),
    "with 39 extensions that mean nothing": (
        SAN,
        *(extension(f"1.2.3.{number}", b"") for number in range(1, 40)),
    ),
    "critical names": (extension("2.5.29.17", tlv(0x30, tlv(0x81, BOB.encode())), critical=True),),
    "an authority key identifier of nothing": (SAN, extension("2.5.29.35", tlv(0x30))),
    "a foreign authority key identifier": (
        SAN,
        extension("2.5.29.35", tlv(0x30, tlv(0x80, b"foreign"))),
    ),
    "names of another application": (
        extension(
            "2.5.29.17",
            tlv(
                0x30,
                tlv(0x81, BOB.encode()),
                tlv(0xA0, oid("1.3.6.1.5.2.2"), tlv(0xA0, tlv(0x30))),
            ),
        ),
    ),
    "policies": (SAN, extension("2.5.29.32", tlv(0x30, tlv(0x30, oid("1.2.3"))), critical=True)),
    "a policy with a notice of 400 characters": (
        SAN,
        extension(
            "2.5.29.32",
            tlv(
                0x30,
                tlv(
                    0x30,
                    oid("1.2.3"),
                    tlv(
                        0x30,
                        tlv(0x30, oid("1.3.6.1.5.5.7.2.2"), tlv(0x30, tlv(0x1A, b"hi" * 200))),
                    ),
                ),
            ),
        ),
    ),
    "no policy for those below": (SAN, extension("2.5.29.54", b"\2\1\0", critical=True)),
    "no mapping for those below": (
        SAN,
        extension("2.5.29.36", tlv(0x30, b"\x81\1\0"), critical=True),
    ),
    "a key usage with bits to spare": (SAN, extension(USAGE, b"\3\2\0\xc0", critical=True)),
    "netscape's": (SAN, extension("2.16.840.1.113730.1.1", b"\3\2\7\x80")),
}


def root_name(
    tag: int = 0x0C, encoding: str = "utf-8", shown: str = "tkm-lab,tkm-lab root"
) -> bytes:
    """The root CA's name, written otherwise."""
    of, common = shown.split(",")
    parts = (("2.5.4.10", of), ("2.5.4.3", common))
    return name(*((kind, tlv(tag, text.encode(encoding))) for kind, text in parts))


FINE_OTHERS: Final[dict[str, Callable[[], Parts]]] = {
    "signed with a pss of two hashes": lambda: Parts(algorithm=pss(3, 0, 1)),
    "signed with a pss of another salt": lambda: Parts(algorithm=pss(1, 37, 1)),
    "signed with a pss of no salt": lambda: Parts(algorithm=pss(1, 0, 1)),
    "signed with a pss without NULL": lambda: Parts(algorithm=pss(1, 32, 1, null=b"")),
    "signed without NULL": lambda: Parts(algorithm=SHA256_RSA_BARE),
    "a key without NULL": lambda: Parts(rsa_spki(*numbers("bob"), RSA_BARE)),
    "the issuer in upper case": lambda: Parts(issuer=root_name(shown="TKM-LAB,TKM-LAB ROOT")),
    "the issuer with spaces": lambda: Parts(issuer=root_name(shown="tkm-lab ,  tkm-lab   root ")),
    "the issuer as PrintableString": lambda: Parts(issuer=root_name(0x13)),
    "the issuer as BMPString": lambda: Parts(issuer=root_name(0x1E, "utf-16-be")),
    "the issuer as UniversalString": lambda: Parts(issuer=root_name(0x1C, "utf-32-be")),
    "a name of a BMPString": lambda: Parts(
        subject=name(("2.5.4.3", tlv(0x1E, "bob".encode("utf-16-be"))))
    ),
    "a country of three letters": lambda: Parts(subject=name(("2.5.4.6", tlv(0x13, b"CHE")))),
    "a name of nothing": lambda: Parts(subject=name(("2.5.4.3", tlv(0x0C)))),
    "no name but the subjectAltName's": lambda: Parts(subject=tlv(0x30)),
    "GeneralizedTime before 2050": lambda: Parts(not_before=tlv(0x18, b"20200101000000Z")),
    "no end": lambda: Parts(not_after=tlv(0x18, b"99991231235959Z")),
    "version 1": lambda: Parts(
        version=b"", extensions=(), subject=name(("2.5.4.3", tlv(0x0C, BOB.encode())))
    ),
}


def fine_certificates() -> dict[str, Callable[[], bytes]]:
    """Certificates that a TKM must take, though some of them are not as they should be."""
    makers = dict(FINE_OTHERS)
    for what, some in FINE_EXTENSIONS.items():
        makers[f"extensions: {what}"] = partial(Parts, extensions=some)
    for what, serial in FINE_SERIALS.items():
        makers[f"serial: {what}"] = partial(Parts, serial=serial)
    return {what: partial(_sign, make) for what, make in makers.items()}


def random_certificate(chance: random.Random) -> bytes:
    """Parts drawn from the tables, each odd now and then; the octets flipped and cut at times."""

    def now_and_then(value: bytes, *others: bytes) -> bytes:
        return chance.choice(others) if chance.random() < 0.15 else value

    def mangle(tbs: bytes) -> bytes:
        if chance.random() < 0.5:
            return tbs
        octets = bytearray(tbs)
        for _ in range(chance.randint(1, 3)):
            octets[chance.randrange(4, len(octets))] = chance.randrange(256)
        return bytes(octets)

    rsa_keys = [rsa_spki(key.n, key.e) for key in keys().values()]
    key = chance.choice([*rsa_keys, chance.choice([*KEYS.values()])()])
    some = [each for row in chance.sample([*EXTENSIONS.values()], 2) for each in row]
    dates = chance.choice([*DATES.values()])
    parts = Parts(
        spki=now_and_then(rsa_spki(*numbers("bob")), key),
        serial=now_and_then(
            integer(chance.getrandbits(64)), *SERIALS.values(), *FINE_SERIALS.values()
        ),
        not_before=now_and_then(NOT_BEFORE, dates[0]),
        not_after=now_and_then(NOT_AFTER, dates[1]),
        extensions=(SAN, *chance.sample(some, chance.choice([0, 0, 1, 2]))),
        algorithm=now_and_then(SHA256_RSA, *_SIGNING),
    )
    return signed(parts, mangle)


def random_auth(chance: random.Random, size: int = 384) -> tuple[int, bytes]:
    """An AUTH payload's method and data, with the identifiers of real schemes or of none."""
    identifier = chance.choice(
        [SHA256_RSA, SHA512_RSA, SHA1_RSA, pss(1, 32, 1), pss(3, 64, 3), pss(1, 0, 3), b"", b"\x30"]
    )
    data = bytes([len(identifier)]) + identifier + chance.randbytes(chance.choice([0, 1, 64, size]))
    return chance.choice([(14, data), (14, b""), (14, b"\xff"), (1, data), (1, b""), (9, data)])


def odd_certificates() -> dict[str, Callable[[], bytes]]:
    """Every odd certificate of the tables above, by name; each must be refused."""
    makers: dict[str, Callable[[], Parts]] = {}
    for what, key in keys().items():
        makers[f"rsa: {what}"] = partial(Parts, rsa_spki(key.n, key.e))
    for what, make in KEYS.items():
        makers[f"key: {what}"] = partial(_with_key, make)
    for what, some in EXTENSIONS.items():
        makers[f"extensions: {what}"] = partial(Parts, extensions=some)
    for what, (begin, end) in DATES.items():
        makers[f"dates: {what}"] = partial(Parts, not_before=begin, not_after=end)
    for what, serial in SERIALS.items():
        makers[f"serial: {what}"] = partial(Parts, serial=serial)
    makers |= OTHERS
    return {what: partial(_sign, make) for what, make in makers.items()}


def _with_key(make: Callable[[], bytes]) -> Parts:
    return Parts(make())


def _sign(make: Callable[[], Parts]) -> bytes:
    return signed(make())
