# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_SA_INIT messages that are something else besides: what AUTH signs begins with them.

The signed octets are ``init message | nonce of the peer | 64 octets``. Whoever chooses the SPIs and
the SA payload can make all of them one ASN.1 value: the SPIs begin it, an INTEGER swallows the IKE
header, the SA payload has what the document says, and an octet string swallows the rest.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PRF: Final = 64
"""Octets of prf(SK_p, ID) at the end."""
_HEADERS: Final = 16
"""Octets of the IKE header behind the SPIs, and of the SA payload's generic header."""
_ALGORITHM: Final = {
    1: bytes.fromhex("300d06092a864886f70d0101050500"),
    2: bytes.fromhex("300d06092a864886f70d01010b0500"),
}
"""sha1WithRSAEncryption and sha256WithRSAEncryption, by generation of the protocol."""


class Document(NamedTuple):
    """What makes a message one: the SPIs, and what the SA payload holds."""

    spi_i: bytes
    spi_r: bytes
    proposals: bytes
    algorithm: bytes


def tlv(tag: int, content: bytes) -> bytes:
    """With a length of one or of three octets."""
    size = len(content)
    return bytes([tag, size] if size < 128 else [tag, 0x82, size >> 8, size & 0xFF]) + content


def long(tag: int, length: int) -> bytes:
    """The head of a value, whose length takes three octets."""
    return bytes([tag, 0x82, length >> 8, length & 0xFF])


def name(text: str) -> bytes:
    """A Name with a common name alone."""
    return tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403") + tlv(0x0C, text.encode()))))


def public_key(key: RSAPublicKey) -> bytes:
    """SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _validity() -> bytes:
    now = datetime.now(UTC)
    times = (now - timedelta(days=1), now + timedelta(days=300))
    return tlv(0x30, b"".join(tlv(0x17, f"{each:%y%m%d%H%M%SZ}".encode()) for each in times))


def certificate(
    generation: int, key: RSAPublicKey, rest: int, indefinite: bool = False
) -> Document:
    """A v3 certificate for ``key``, as a responder; ``rest`` octets follow the SA payload."""
    fields = (
        _ALGORITHM[generation] + name("alice@tkm-lab.test") + _validity() + name("anybody")
        + public_key(key)
    )  # fmt: skip
    extension = bytes.fromhex("06032a0304") + long(4, rest)
    nested = len(extension) + rest
    tail = long(0xA3, nested + 8) + long(0x30, nested + 4) + long(0x30, nested) + extension
    version, serial = bytes.fromhex("a003020102"), bytes([2, 5 + _HEADERS])
    size = len(version + serial) + 5 + _HEADERS + len(fields + tail) + rest
    head = long(0x30, size) + version + serial + b"\1seri"
    return Document(head[:8], head[8:], fields + tail, _ALGORITHM[generation])


def request(generation: int, key: RSAPublicKey, rest: int) -> Document:
    """A request for a certificate, as a responder: its version is a long number."""
    extension = bytes.fromhex("06032a0304") + long(0x31, rest + 4) + long(4, rest)
    attribute = long(0x30, len(extension) + rest) + extension
    fields = name("anybody") + public_key(key) + long(0xA0, len(attribute) + rest) + attribute
    number = 10 + _HEADERS
    head = long(0x30, 2 + number + len(fields) + rest) + bytes([2, number]) + b"\1" * 10
    return Document(head[:8], head[8:], fields, _ALGORITHM[generation])


def initiators(generation: int, key: RSAPublicKey, rest: int) -> Document:
    """A v1 certificate for ``key``, as an initiator, whose message has no SPI of the responder."""
    fields = (
        _ALGORITHM[generation] + name("alice@tkm-lab.test") + _validity() + name("anybody")
        + public_key(key) + long(0x81, rest + 1) + b"\0"
    )  # fmt: skip
    number = 2 + 8 + _HEADERS
    spi = long(0x30, 2 + number + len(fields) + rest) + bytes([2, number]) + b"\1s"
    return Document(spi, bytes(8), fields, _ALGORITHM[generation])


def signed(document: Document, octets: bytes, signature: bytes) -> bytes:
    """The whole document: what was signed, the algorithm, the signature."""
    return tlv(0x30, octets + document.algorithm + tlv(3, b"\0" + signature))
