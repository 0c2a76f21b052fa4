# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading three fields of a certificate, without judging it: that is the TKM's part.

A certificate is needed whole for the CERT payload and for the TKM; issuer and subject put a chain
in order, and the SubjectPublicKeyInfo names a CA in a CERTREQ payload (RFC 7296, 3.7).
"""

import hashlib
from collections.abc import Iterable, Iterator

from ike.value import Value

_SEQUENCE, _VERSION = 0x30, 0xA0


class Certificate(Value):
    """A certificate.

    Attributes:
        der: All of it.
        issuer: Its issuer's name, DER.
        subject: Its subject's name, DER.
        key_hash: SHA-1 over its SubjectPublicKeyInfo, 20 octets.
    """

    der: bytes
    issuer: bytes
    subject: bytes
    key_hash: bytes

    @classmethod
    def read(cls, der: bytes) -> "Certificate":
        """Take a certificate apart (RFC 5280, 4.1).

        Raises:
            ValueError: This is none.
        """
        outer = _inside(der)
        fields = list(_elements(_inside(next(_elements(outer), b""))))
        if fields and fields[0][0] == _VERSION:
            del fields[0]
        if len(fields) < 6:
            raise ValueError("not a certificate")
        _serial, _algorithm, issuer, _validity, subject, key = fields[:6]
        return cls(der, issuer, subject, hashlib.sha1(key, usedforsecurity=False).digest())


def _elements(octets: bytes) -> Iterator[bytes]:
    """The DER elements that fill ``octets``, each with its header."""
    at = 0
    while at < len(octets):
        end = at + sum(_extent(octets, at))
        if end > len(octets):
            raise ValueError("an element runs past the end")
        yield octets[at:end]
        at = end


def _inside(element: bytes) -> bytes:
    """The contents of a sequence that fills ``element``."""
    header, length = _extent(element, 0)
    if element[0] != _SEQUENCE or header + length != len(element):
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


def in_order(last: Certificate, others: Iterable[Certificate], top: bytes) -> list[Certificate]:
    """The chain from just below the CA whose subject is ``top`` down to ``last``.

    Certificates that do not belong to it are left out; if it does not reach the CA it is as long
    as could be found, and the TKM refuses it.
    """
    by_subject = {certificate.subject: certificate for certificate in others}
    chain = [last]
    while chain[0].issuer != top and (issuer := by_subject.pop(chain[0].issuer, None)):
        chain.insert(0, issuer)
    return chain
