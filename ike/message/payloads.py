# SPDX-License-Identifier: GPL-2.0-or-later
"""The payloads (RFC 7296, 3.2 to 3.14), a class each.

``encode`` returns a payload's body, without the generic header; ``decode`` reads one and checks
every bound. Reserved fields are sent as zero and ignored when they are received.
"""

from abc import ABC, abstractmethod
from struct import pack
from typing import ClassVar, Self

from ike.message.numbers import CertEncoding, PayloadType, Protocol, short_notify
from ike.message.reader import Reader
from ike.message.substructures import Proposal, TrafficSelector
from ike.value import Value

_HASH = 20
_SPI_SIZES = {Protocol.IKE: 0, Protocol.AH: 4, Protocol.ESP: 4}


class Payload(Value, ABC):
    """A payload's body.

    Attributes:
        type: Its payload type; :class:`Unknown` has one per instance.
        label: What log lines call it.
    """

    type: ClassVar[int]
    label: ClassVar[str]

    @abstractmethod
    def encode(self) -> bytes:
        """The body's octets."""

    @classmethod
    @abstractmethod
    def decode(cls, body: Reader) -> Self:
        """Read a whole body.

        Raises:
            MalformedMessage: It breaks the format.
        """

    def summary(self) -> str:
        """The payload in a log line."""
        return self.label


class SecurityAssociation(Payload):
    """What the sender offers, or which proposal it has chosen."""

    type = PayloadType.SA
    label = "SA"
    proposals: tuple[Proposal, ...]

    def encode(self) -> bytes:
        final = len(self.proposals) - 1
        return b"".join(
            proposal.encode(last=position == final)
            for position, proposal in enumerate(self.proposals)
        )

    @classmethod
    def decode(cls, body: Reader) -> Self:
        proposals = []
        while len(body):
            # The last substructure is the one that fills the body.
            last = body.peek(2, 2) == len(body)
            proposals.append(Proposal.decode(body, last=last))
        if not proposals:
            raise body.fail("no proposal")
        return cls(tuple(proposals))


class KeyExchange(Payload):
    """A public value.

    Attributes:
        method: Key exchange method (transform type 4), 16 for MODP-4096.
        public_value: As the method lays it out, for MODP as long as the prime.
    """

    type = PayloadType.KE
    label = "KE"
    method: int
    public_value: bytes

    def encode(self) -> bytes:
        return pack(">HH", self.method, 0) + self.public_value

    @classmethod
    def decode(cls, body: Reader) -> Self:
        method = body.integer(2)
        body.take(2)
        if not len(body):
            raise body.fail("no public value")
        return cls(method, body.rest())


class Identification(Payload):
    """The identity of the sender.

    Attributes:
        kind: ID type, 2 for a domain name, 3 for a mail address.
        data: As the type lays it out.
    """

    kind: int
    data: bytes

    def encode(self) -> bytes:
        return bytes((self.kind, 0, 0, 0)) + self.data

    @classmethod
    def decode(cls, body: Reader) -> Self:
        kind = body.integer(1)
        body.take(3)
        return cls(kind, body.rest())


class IdInitiator(Identification):
    type = PayloadType.IDI
    label = "IDi"


class IdResponder(Identification):
    type = PayloadType.IDR
    label = "IDr"


class Certificate(Payload):
    """A certificate, or something like it.

    Attributes:
        encoding: 4 for an X.509 certificate, DER.
    """

    type = PayloadType.CERT
    label = "CERT"
    encoding: int
    data: bytes

    def encode(self) -> bytes:
        return bytes((self.encoding,)) + self.data

    @classmethod
    def decode(cls, body: Reader) -> Self:
        encoding = body.integer(1)
        if not len(body):
            raise body.fail("no certificate in it")
        return cls(encoding, body.rest())


class CertificateRequest(Payload):
    """The CAs that the sender trusts.

    Attributes:
        encoding: 4 for X.509 certificates.
        authorities: For X.509, SHA-1 over the SubjectPublicKeyInfo of each CA, 20 octets each,
            without separators; for other encodings anything.
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


class Authentication(Payload):
    """Proof of the sender's identity.

    Attributes:
        method: 1 for RSA with SHA-1, 14 for a signature that names its algorithm.
        data: For method 14 the length and the AlgorithmIdentifier lead it.
    """

    type = PayloadType.AUTH
    label = "AUTH"
    method: int
    data: bytes

    def encode(self) -> bytes:
        return bytes((self.method, 0, 0, 0)) + self.data

    @classmethod
    def decode(cls, body: Reader) -> Self:
        method = body.integer(1)
        body.take(3)
        return cls(method, body.rest())


class Nonce(Payload):
    """A nonce of 16 to 256 octets."""

    type = PayloadType.NONCE
    label = "No"
    octets: bytes

    def encode(self) -> bytes:
        return self.octets

    @classmethod
    def decode(cls, body: Reader) -> Self:
        if not 16 <= len(body) <= 256:
            raise body.fail(f"a nonce of {len(body)} octets, not 16 to 256")
        return cls(body.rest())


class Notify(Payload):
    """An error, or a status.

    Attributes:
        kind: Notify message type.
        data: As the type lays it out.
        protocol: Of the SA that it is about; 0 if it is about none, or the IKE SA.
        spi: Of that SA, 4 octets for ESP; empty if there is none.
    """

    type = PayloadType.NOTIFY
    label = "N"
    kind: int
    data: bytes = b""
    protocol: int = Protocol.NONE
    spi: bytes = b""

    def encode(self) -> bytes:
        return pack(">BBH", self.protocol, len(self.spi), self.kind) + self.spi + self.data

    @classmethod
    def decode(cls, body: Reader) -> Self:
        protocol, spi_size, kind = body.integer(1), body.integer(1), body.integer(2)
        spi = body.take(spi_size)
        return cls(kind, body.rest(), protocol, spi)

    def summary(self) -> str:
        return f"N({short_notify(self.kind)})"


class Delete(Payload):
    """SAs that the sender has closed.

    Attributes:
        protocol: 1 for this very IKE SA, 3 for ESP.
        spis: The sender's inbound SPIs, 4 octets each; none for the IKE SA.
    """

    type = PayloadType.DELETE
    label = "D"
    protocol: int
    spis: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        size = len(self.spis[0]) if self.spis else 0
        return pack(">BBH", self.protocol, size, len(self.spis)) + b"".join(self.spis)

    @classmethod
    def decode(cls, body: Reader) -> Self:
        protocol, size, count = body.integer(1), body.integer(1), body.integer(2)
        if protocol not in _SPI_SIZES:
            raise body.fail(f"protocol {protocol}")
        if count and size != _SPI_SIZES[Protocol(protocol)]:
            raise body.fail(f"SPIs of {size} octets for protocol {protocol}")
        if protocol == Protocol.IKE and count:
            raise body.fail("SPIs for the IKE SA")
        if size * count != len(body):
            raise body.fail(f"{count} SPIs of {size} octets do not fill {len(body)}")
        return cls(protocol, tuple(body.take(size) for _ in range(count)))


class VendorId(Payload):
    """Whose implementation this is; any octets."""

    type = PayloadType.VENDOR_ID
    label = "V"
    octets: bytes

    def encode(self) -> bytes:
        return self.octets

    @classmethod
    def decode(cls, body: Reader) -> Self:
        return cls(body.rest())


class TrafficSelectors(Payload):
    """One or more selectors; selectors of unknown types are passed over."""

    selectors: tuple[TrafficSelector, ...]

    def encode(self) -> bytes:
        head = bytes((len(self.selectors), 0, 0, 0))
        return head + b"".join(selector.encode() for selector in self.selectors)

    @classmethod
    def decode(cls, body: Reader) -> Self:
        count = body.integer(1)
        body.take(3)
        if not count:
            raise body.fail("no selector")
        selectors = [TrafficSelector.decode(body) for _ in range(count)]
        if len(body):
            raise body.fail(f"{len(body)} octets after the last selector")
        return cls(tuple(selector for selector in selectors if selector))


class TsInitiator(TrafficSelectors):
    type = PayloadType.TSI
    label = "TSi"


class TsResponder(TrafficSelectors):
    type = PayloadType.TSR
    label = "TSr"


class Encrypted(Payload):
    """A chain of payloads, protected.

    Attributes:
        first: Type of the first payload inside.
        protected: IV | ciphertext | integrity check value.
    """

    type = PayloadType.SK
    label = "SK"
    first: int
    protected: bytes

    def encode(self) -> bytes:
        return self.protected

    @classmethod
    def decode(cls, body: Reader, first: int = PayloadType.NONE) -> Self:
        return cls(first, body.rest())


class EncryptedFragment(Payload):
    """A piece of such a chain.

    Attributes:
        first: Type of the first payload inside, in the first fragment; 0 in the others.
        number: 1 for the first fragment.
        total: How many there are.
    """

    type = PayloadType.SKF
    label = "EF"
    first: int
    number: int
    total: int
    protected: bytes

    def encode(self) -> bytes:
        return pack(">HH", self.number, self.total) + self.protected

    @classmethod
    def decode(cls, body: Reader, first: int = PayloadType.NONE) -> Self:
        number, total = body.integer(2), body.integer(2)
        if not 1 <= number <= total:
            raise body.fail(f"fragment {number} of {total}")
        if (number > 1) and first:
            raise body.fail(f"fragment {number} names a first payload")
        return cls(first, number, total, body.rest())

    def summary(self) -> str:
        return f"EF({self.number}/{self.total})"


class Unknown(Payload):
    """Any octets.

    Attributes:
        kind: Its payload type.
    """

    type = PayloadType.NONE
    label = "?"
    kind: int
    octets: bytes

    def encode(self) -> bytes:
        return self.octets

    @classmethod
    def decode(cls, body: Reader, kind: int = PayloadType.NONE) -> Self:
        return cls(kind, body.rest())

    def summary(self) -> str:
        return f"({self.kind})"
