# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading a few fields of a certificate, without judging it: that is the TKM's part.

A certificate is needed whole for the CERT payload and for the TKM; names and key identifiers lead
from a certificate to its issuer, and the SubjectPublicKeyInfo names a CA in a CERTREQ payload
(RFC 7296, 3.7).
"""

import hashlib
from codecs import lookup
from collections.abc import Iterator, Sequence
from unicodedata import normalize

from ike.value import Value

_SEQUENCE, _SET, _INTEGER, _OCTET_STRING = 0x30, 0x31, 0x02, 0x04
_VERSION, _EXTENSIONS, _KEY_IDENTIFIER = 0xA0, 0xA3, 0x80
_FIELDS = (_INTEGER, *[_SEQUENCE] * 5)
"""What follows the version: serial number, algorithm, issuer, validity, subject, key. A CRL begins
with similar fields."""
_SUBJECT_KEY, _AUTHORITY_KEY = b"\x06\x03\x55\x1d\x0e", b"\x06\x03\x55\x1d\x23"
"""Object identifiers of extensions (RFC 5280, 4.2.1.1 and 4.2.1.2)."""
_STRINGS = {
    tag: lookup(encoding)
    for tag, encoding in (
        (0x0C, "utf-8"),
        (0x12, "ascii"),
        (0x13, "ascii"),
        (0x14, "latin-1"),
        (0x16, "ascii"),
        (0x1C, "utf-32-be"),
        (0x1E, "utf-16-be"),
    )
}
"""How strings of each type are encoded (X.680, 8.4). In the sandbox no codec can be loaded."""


class Certificate(Value):
    """A certificate.

    Attributes:
        der: All of it.
        issuer: Its issuer's name, DER.
        subject: Its subject's name, DER.
        key_hash: SHA-1 over its SubjectPublicKeyInfo, 20 octets.
        key_id: Identifier of its key; empty if it has none.
        issuer_key_id: That of the key that signed it.
    """

    der: bytes
    issuer: bytes
    subject: bytes
    key_hash: bytes
    key_id: bytes = b""
    issuer_key_id: bytes = b""

    @classmethod
    def read(cls, der: bytes) -> "Certificate":
        """Take a certificate apart (RFC 5280, 4.1).

        White space behind it is cut off: editors leave newlines there.

        Raises:
            ValueError: This is none.
        """
        end = sum(_extent(der, 0))
        if der[end:].isspace():
            der = der[:end]
        outer = _inside(der)
        fields = list(_elements(_inside(next(_elements(outer), b""))))
        if fields and fields[0][0] == _VERSION:
            del fields[0]
        if tuple(field[0] for field in fields[:6]) != _FIELDS:
            raise ValueError("not a certificate")
        _serial, _algorithm, issuer, _validity, subject, key = fields[:6]
        key_hash = hashlib.sha1(key, usedforsecurity=False).digest()
        return cls(der, issuer, subject, key_hash, *_key_identifiers(fields[6:]))


def comparable(name: bytes) -> tuple[frozenset[tuple[bytes, str | bytes]], ...]:
    """A name, DER, so that names are equal if they compare equal (RFC 5280, 7.1).

    String types, case and spaces do not count.

    Raises:
        ValueError: It is malformed.
    """
    return tuple(
        frozenset(_attribute(each) for each in _elements(_inside(part, _SET)))
        for part in _elements(_inside(name))
    )


def _attribute(element: bytes) -> tuple[bytes, str | bytes]:
    kind, value = _elements(_inside(element))
    codec = _STRINGS.get(value[0])
    if codec is None:
        return kind, value
    text, _ = codec.decode(value[_extent(value, 0)[0] :])
    return kind, " ".join(normalize("NFKC", text).casefold().split())


def _elements(octets: bytes) -> Iterator[bytes]:
    """The DER elements that fill ``octets``, each with its header."""
    at = 0
    while at < len(octets):
        end = at + sum(_extent(octets, at))
        if end > len(octets):
            raise ValueError("an element runs past the end")
        yield octets[at:end]
        at = end


def _key_identifiers(fields: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Those of a certificate's own key and of its issuer's; empty where there is none."""
    own = issuer = b""
    for field in fields:
        if field[0] == _EXTENSIONS:
            for extension in _elements(_inside(_inside(field, _EXTENSIONS))):
                oid, *_critical, wrapped = _elements(_inside(extension))
                if oid == _SUBJECT_KEY:
                    own = _inside(_inside(wrapped, _OCTET_STRING), _OCTET_STRING)
                elif oid == _AUTHORITY_KEY:
                    first = next(_elements(_inside(_inside(wrapped, _OCTET_STRING))), b"\0\0")
                    issuer = _inside(first, _KEY_IDENTIFIER) if first[0] == _KEY_IDENTIFIER else b""
    return own, issuer


def _inside(element: bytes, tag: int = _SEQUENCE) -> bytes:
    """The contents of an element of this kind that fills ``element``."""
    header, length = _extent(element, 0)
    if element[0] != tag or header + length != len(element):
        raise ValueError("not a certificate")
    return element[header:]


def _extent(octets: bytes, at: int) -> tuple[int, int]:
    """The lengths of the header and of the contents of the element at ``at`` (X.690, 8.1.3)."""
    head = octets[at : at + 2]
    if len(head) < 2:
        raise ValueError("an element without a length")
    if head[1] < 0x80:
        return 2, head[1]
    count = head[1] & 0x7F
    if not 1 <= count <= 4 or at + 2 + count > len(octets):
        raise ValueError("a length that cannot be")
    return 2 + count, int.from_bytes(octets[at + 2 : at + 2 + count], "big")
