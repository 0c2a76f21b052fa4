# SPDX-License-Identifier: GPL-2.0-or-later
"""Identities (RFC 7296, 3.5): as configurations write them, and as ID payloads carry them.

Both sides of the protocol read a configuration with this module, so they mean the same octets.
"""

import ipaddress
import re
from collections.abc import Hashable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple
from unicodedata import normalize

from cryptography.x509 import Name, NameAttribute
from cryptography.x509.oid import NameOID

LONGEST: Final = 255
"""Octets of a domain name (RFC 1035, 2.3.4), and of any other identity but a DN."""


class Kind(IntEnum):
    """ID types."""

    IPV4_ADDR = 1
    FQDN = 2
    RFC822_ADDR = 3
    IPV6_ADDR = 5
    DER_ASN1_DN = 9
    KEY_ID = 11


_PREFIXES: Final = {
    **dict.fromkeys(("fqdn", "dns"), Kind.FQDN),
    **dict.fromkeys(("email", "rfc822", "userfqdn"), Kind.RFC822_ADDR),
    "ipv4": Kind.IPV4_ADDR,
    "ipv6": Kind.IPV6_ADDR,
    "keyid": Kind.KEY_ID,
}
"""strongSwan's names of types, before a colon."""
_ATTRIBUTES: Final = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "E": NameOID.EMAIL_ADDRESS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
}
"""Attributes of distinguished names, by the names that people write."""
_ALIASES: Final = {"EMAIL": "E", "EMAILADDRESS": "E"}
_SPELLED: Final = {oid.dotted_string: name for name, oid in _ATTRIBUTES.items()}
_ANYBODY: Final = ("%any", "%any4", "%any6", "0.0.0.0", "::", "*")
_LABELS: Final = r"(?!.*[A-Za-z0-9_-]{64})[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"
_DOMAIN: Final = re.compile(_LABELS)
_MAIL: Final = re.compile(rf"[A-Za-z0-9_/+-]+(\.[A-Za-z0-9_/+-]+)*@{_LABELS}")
_VALUE: Final = re.compile(r'[^"\\{}#*%\x00-\x1f\x7f]+')
"""Of an attribute: characters that mean nothing else in any file that we write."""
_STRINGS: Final = {12: "utf-8", 19: "ascii", 20: "latin-1", 22: "ascii", 30: "utf-16-be"}
"""String types of ASN.1 by their tags."""


class Identity(NamedTuple):
    """An identity: its ID type, and its data as the type lays it out."""

    kind: int
    data: bytes

    @property
    def payload(self) -> bytes:
        """The body of an Identification payload: what AUTH covers of it (RFC 7296, 2.15)."""
        return bytes((self.kind, 0, 0, 0)) + self.data

    @property
    def canonical(self) -> Hashable:
        """The same for all ways to write the identity.

        Domains compare without case, distinguished names as RFC 5280, 7.1, has it.

        Raises:
            ValueError: it is malformed.
        """
        if self.kind == Kind.FQDN:
            return self.kind, self.data.lower()
        if self.kind == Kind.RFC822_ADDR:
            user, at, domain = self.data.rpartition(b"@")
            return self.kind, user + at + domain.lower()
        if self.kind == Kind.DER_ASN1_DN:
            return self.kind, tuple(frozenset(_folded(rdn)) for rdn in _rdns(self.data))
        return self

    def matches(self, other: "Identity") -> bool:
        """Whether both are the same, however they are written. A malformed one matches nothing."""
        try:
            return self.canonical == other.canonical
        except ValueError:
            return False

    def __str__(self) -> str:
        """As a configuration writes it; what a peer sends cannot forge lines of a log."""
        text = self.data.decode("ascii", "backslashreplace")
        if self.kind == Kind.DER_ASN1_DN:
            try:
                parts = [part for rdn in _rdns(self.data) for part in rdn]
                text = ", ".join(f"{_SPELLED.get(oid, oid)}={value}" for oid, value in parts)
            except ValueError:
                text = f"DN:{self.data.hex()}"
        elif self.kind in (Kind.IPV4_ADDR, Kind.IPV6_ADDR) and len(self.data) in (4, 16):
            text = str(ipaddress.ip_address(self.data))
        elif self.kind not in (Kind.FQDN, Kind.RFC822_ADDR):
            text = (
                f"@#{self.data.hex()}"
                if self.kind == Kind.KEY_ID
                else (f"{self.kind}:{self.data.hex()}")
            )
        return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def parse(text: str) -> Identity:
    """What a configuration writes, in strongSwan's syntax.

    Raises:
        ValueError: it is none, or matches anybody.
    """
    if text in _ANYBODY:
        raise ValueError(f"'{text}' is anybody, and nobody can be authenticated as that")
    kind, rest = _kind(text)
    if kind == Kind.DER_ASN1_DN:
        return Identity(kind, distinguished_name(rest).public_bytes())
    return _of_kind(kind, rest, text)


def _kind(text: str) -> tuple[Kind, str]:
    """The type of an identity, and what is left to be read."""
    prefix, colon, rest = text.partition(":")
    if colon and prefix.lower() in _PREFIXES:
        return _PREFIXES[prefix.lower()], rest
    for mark, kind in (("@#", Kind.KEY_ID), ("@@", Kind.RFC822_ADDR), ("@", Kind.FQDN)):
        if text.startswith(mark):
            return kind, text.removeprefix(mark.removesuffix("#"))
    if "=" in text:
        return Kind.DER_ASN1_DN, text
    if re.fullmatch(r"[0-9]+(\.[0-9]*)+", text):
        return Kind.IPV4_ADDR, text
    if colon:
        return Kind.IPV6_ADDR, text
    return (Kind.RFC822_ADDR if "@" in text else Kind.FQDN), text


def _of_kind(kind: Kind, text: str, whole: str) -> Identity:
    fault = ValueError(f"'{whole}' is not an identity of type {kind.name}")
    if len(text) > LONGEST:
        raise ValueError(f"an identity of {len(text)} octets is longer than {LONGEST}")
    if kind in (Kind.FQDN, Kind.RFC822_ADDR):
        if not (_DOMAIN if kind == Kind.FQDN else _MAIL).fullmatch(text):
            raise fault
        return Identity(kind, text.encode())
    if kind == Kind.KEY_ID:
        if not re.fullmatch(r"(#|0x)([0-9A-Fa-f]{2})+", text):
            raise ValueError(f"'{whole}': a key ID is written in hexadecimal, as @#0123cdef")
        return Identity(kind, bytes.fromhex(text.removeprefix("#").removeprefix("0x")))
    try:
        address = (ipaddress.IPv4Address if kind == Kind.IPV4_ADDR else ipaddress.IPv6Address)(text)
    except ValueError:
        raise fault from None
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise fault
    return Identity(kind, address.packed)


def distinguished_name(text: str) -> Name:
    """``C=CH, O=strongSwan, CN=bob`` or ``/C=CH/O=strongSwan/CN=bob``.

    Raises:
        ValueError: it is not one.
    """
    separator, inner = ("/", text[1:]) if text.startswith("/") else (",", text)
    attributes = []
    for part in inner.split(separator):
        name, equals, value = (word.strip() for word in part.partition("="))
        upper = name.upper()
        oid = _ATTRIBUTES.get(_ALIASES.get(upper, upper))
        if not equals or oid is None or not _VALUE.fullmatch(value):
            raise ValueError(
                f"'{part.strip()}' in '{text}' is not an attribute such as CN=bob; there are: "
                f"{', '.join(_ATTRIBUTES)}"
            )
        try:
            attributes.append(NameAttribute(oid, value))
        except ValueError as error:
            raise ValueError(f"'{part.strip()}' in '{text}': {error}") from None
    return Name(attributes)


def _folded(rdn: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for oid, value in rdn:
        yield oid, " ".join(normalize("NFKC", value).casefold().split())


def _rdns(der: bytes) -> list[list[tuple[str, str]]]:
    """Attributes of the parts of a name, from its DER.

    Raises:
        ValueError: it is malformed.
    """
    ((tag, content),) = _elements(der)
    if tag != 0x30:
        raise ValueError("a name is a SEQUENCE")
    return [[_attribute(octets) for _, octets in _elements(rdn)] for _, rdn in _elements(content)]


def _attribute(octets: bytes) -> tuple[str, str]:
    (kind, oid), (tag, value) = _elements(octets)
    if kind != 6 or tag not in _STRINGS:
        raise ValueError("an attribute is an OBJECT IDENTIFIER and a string")
    return _dotted(oid), value.decode(_STRINGS[tag])


def _dotted(octets: bytes) -> str:
    numbers, number = [], 0
    for octet in octets:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2) if numbers else 0
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:]) if numbers else ()))


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of DER values in a row.

    Raises:
        ValueError: one is cut off.
    """
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1] if at + 1 < len(der) else 0x80, at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
            if not 1 <= size <= 2:
                raise ValueError("a length of another form than names have")
        if at + length > len(der):
            raise ValueError("an element that is cut off")
        found.append((tag, der[at : at + length]))
        at += length
    return found
