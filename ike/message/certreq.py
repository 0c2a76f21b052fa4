# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificate Request payload (RFC 7296, 3.7)."""

from typing import Self

from ike.message.numbers import CertEncoding, PayloadType
from ike.message.payload import Payload
from ike.message.reader import Reader

_HASH = 20


class CertificateRequest(Payload):
    """The CAs that the sender trusts.

    :ivar encoding: 4 for X.509 certificates.
    :ivar authorities: for X.509, SHA-1 over the SubjectPublicKeyInfo of each CA, 20 octets each,
        one behind the other; for other encodings anything.
    """

    type = PayloadType.CERTREQ
    label = "CERTREQ"
    encoding: int
    authorities: bytes

    def encode(self) -> bytes:
        return bytes((self.encoding,)) + self.authorities

    @classmethod
    def decode(cls, body: Reader) -> Self:
        encoding = body.integer(1)
        if encoding == CertEncoding.X509_SIGNATURE and len(body) % _HASH:
            raise body.fail(f"{len(body)} octets are not whole hashes of {_HASH}")
        return cls(encoding, body.rest())
