# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation 1: what strongSwan's released charon-tkm asks of the TKM, octet for octet.

Every request below is an operation; its fields are the layout of its body, in this order,
without padding, in the byte order of x86. Octet strings take the room of their longest, whatever
their size. The keys of IKE SAs (not those of ESP) leave the TKM, because charon-tkm protects IKE
messages by itself: this generation has to be asked for.
"""

from typing import Annotated, Final

from tkm.config.policy import HIGHEST_IN_GENERATION_1
from tkm.rpc.fields import LEAST_NONCE, Fixed, Flag, Octets, Unsigned
from tkm.rpc.interface import FixedFrames, Interface, Request
from tkm.rpc.record import Empty, Record
from tkm.rpc.result import Result
from tkm.rpc.wipe import Buffer

RPC1 = Interface(
    "IKE, generation 1",
    FixedFrames,
    results={
        Result.AUTH_FAILURE: Result.SIGN_FAILURE,
        Result.CERTIFICATE_FAILURE: Result.INVALID_PARAMETER,
        Result.KERNEL_FAILURE: Result.ABORTED,
        Result.QUOTA_EXCEEDED: Result.ABORTED,
    },
)
VERSION: Final = 0

HIGHEST_ID: Final = HIGHEST_IN_GENERATION_1

Id = Annotated[int, Unsigned(8, "little", low=1, high=HIGHEST_ID, fault=Result.INVALID_ID)]
"""Number of a context or of something configured."""
SpId = Annotated[int, Unsigned(4, "little", low=1, high=HIGHEST_ID, fault=Result.INVALID_ID)]
"""Number of a policy."""
Algorithms = Annotated[int, Unsigned(8, "little", low=1, high=1, fault=Result.INVALID_ID)]
"""Number of a set of algorithms: AES-CBC-256 with HMAC-SHA2-512, there is no other."""
Count = Annotated[int, Unsigned(8, "little")]
Initiator = Annotated[bool, Flag(8, "little")]
"""We are the initiator of this exchange."""
IkeSpi = Annotated[bytes, Fixed(8)]
EspSpi = Annotated[bytes, Fixed(4)]
NonceOctets = Annotated[bytes, Octets(256, low=LEAST_NONCE, order="little", slot=True)]
"""A nonce without its payload header (RFC 7296, 3.9)."""
PublicValue = Annotated[bytes, Octets(512, order="little", slot=True)]
Certificate = Annotated[bytes, Octets(1500, order="little", slot=True)]
"""A certificate, DER."""
InitMessage = Annotated[bytes, Octets(1500, order="little", slot=True)]
"""The first message of the one who signs."""
SIGNATURE: Final = 384
SignatureOctets = Annotated[bytes, Octets(SIGNATURE, order="little", slot=True)]
"""RSASSA-PKCS1-v1_5 with SHA-1, of keys of up to 3072 bits."""
Key = Annotated[Buffer, Octets(64, order="little", slot=True, secret=True)]


class VersionReply(Record):
    version: Count


class TkmVersion(Request[VersionReply], interface=RPC1, code=0x0000):
    """The version of the protocol."""


class LimitsReply(Record):
    max_active_requests: Count
    nc: Count
    dh: Count
    cc: Count
    ae: Count
    isa: Count
    esa: Count


class TkmLimits(Request[LimitsReply], interface=RPC1, code=0x0001):
    """How many contexts of each kind there can be."""


class TkmReset(Request[Empty], interface=RPC1, code=0x0002):
    """Reset all contexts, destroy their secrets and remove the states that they own."""


class NcReset(Request[Empty], interface=RPC1, code=0x0100):
    nc: Id


class NonceReply(Record):
    nonce: NonceOctets


class NcCreate(Request[NonceReply], interface=RPC1, code=0x0101):
    """Make a nonce, to be used once."""

    nc: Id
    length: Annotated[int, Unsigned(8, "little", low=LEAST_NONCE, high=256)]


class DhReset(Request[Empty], interface=RPC1, code=0x0200):
    dh: Id


class PublicValueReply(Record):
    public_value: PublicValue


class DhCreate(Request[PublicValueReply], interface=RPC1, code=0x0201):
    """Begin a key exchange: our public value.

    :ivar dha: 1 is MODP-3072 and 2 is MODP-4096; so are 15 and 16, their numbers in IKEv2.
    """

    dh: Id
    dha: Id


class DhGenerateKey(Request[Empty], interface=RPC1, code=0x0202):
    """The peer's public value."""

    dh: Id
    public_value: PublicValue


class CcReset(Request[Empty], interface=RPC1, code=0x0300):
    cc: Id


class CcSetUserCertificate(Request[Empty], interface=RPC1, code=0x0301):
    """Begin a certificate chain with that of the remote identity ``ri``."""

    cc: Id
    ri: Id
    autha: Id
    certificate: Certificate


class CcAddCertificate(Request[Empty], interface=RPC1, code=0x0302):
    """Add the issuer of the last one: intermediate CAs, then the CA that is trusted."""

    cc: Id
    autha: Id
    certificate: Certificate


class CcCheckCa(Request[Empty], interface=RPC1, code=0x0303):
    """Finish the chain: its last certificate is the CA that is configured as number ``ca``."""

    cc: Id
    ca: Id


class AeReset(Request[Empty], interface=RPC1, code=0x0800):
    ae: Id


class IsaReset(Request[Empty], interface=RPC1, code=0x0900):
    isa: Id


class KeysReply(Record):
    """What protects IKE messages: *i* those of the initiator, *r* those of the responder."""

    sk_ai: Key
    sk_ar: Key
    sk_ei: Key
    sk_er: Key


class IsaCreate(Request[KeysReply], interface=RPC1, code=0x0901):
    """Derive the keys of a new IKE SA (RFC 7296, 2.14)."""

    isa: Id
    ae: Id
    ia: Algorithms
    dh: Id
    nc_loc: Id
    nonce_rem: NonceOctets
    initiator: Initiator
    spi_loc: IkeSpi
    spi_rem: IkeSpi


class SignatureReply(Record):
    signature: SignatureOctets


class IsaSign(Request[SignatureReply], interface=RPC1, code=0x0902):
    """Sign for local identity ``lc``."""

    isa: Id
    lc: Id
    init_message: InitMessage


class IsaAuth(Request[Empty], interface=RPC1, code=0x0903):
    """Authenticate the peer by its signature and a checked chain."""

    isa: Id
    cc: Id
    init_message: InitMessage
    signature: SignatureOctets


class IsaCreateChild(Request[KeysReply], interface=RPC1, code=0x0904):
    """Derive the keys of an IKE SA that takes the place of ``parent`` (RFC 7296, 2.18)."""

    isa: Id
    parent: Id
    ia: Algorithms
    dh: Id
    nc_loc: Id
    nonce_rem: NonceOctets
    initiator: Initiator
    spi_loc: IkeSpi
    spi_rem: IkeSpi


class IsaSkipCreateFirst(Request[Empty], interface=RPC1, code=0x0905):
    """IKE_AUTH brought no Child SA: later ones are allowed all the same."""

    isa: Id


class EsaReset(Request[Empty], interface=RPC1, code=0x0A00):
    esa: Id


class EsaCreate(Request[Empty], interface=RPC1, code=0x0A01):
    """A Child SA with a key exchange of its own (RFC 7296, 2.17)."""

    esa: Id
    isa: Id
    sp: SpId
    ea: Algorithms
    dh: Id
    nc_loc: Id
    nonce_rem: NonceOctets
    initiator: Initiator
    spi_loc: EspSpi
    spi_rem: EspSpi


class EsaCreateNoPfs(Request[Empty], interface=RPC1, code=0x0A02):
    """A Child SA without a key exchange of its own."""

    esa: Id
    isa: Id
    sp: SpId
    ea: Algorithms
    nc_loc: Id
    nonce_rem: NonceOctets
    initiator: Initiator
    spi_loc: EspSpi
    spi_rem: EspSpi


class EsaCreateFirst(Request[Empty], interface=RPC1, code=0x0A03):
    """The Child SA of IKE_AUTH."""

    esa: Id
    isa: Id
    sp: SpId
    ea: Algorithms
    spi_loc: EspSpi
    spi_rem: EspSpi


class EsaSelect(Request[Empty], interface=RPC1, code=0x0A04):
    """Use this Child SA for outbound traffic from now on."""

    esa: Id
