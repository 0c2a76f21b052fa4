# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation 2: what tkm_iked asks of the TKM. No IKE key leaves the TKM.

Every request below is an operation; its fields are the layout of its body, in this order,
without padding, in network byte order. Contexts are named by numbers that the client picks
(``tkm.core`` says what they are); ``loc`` is ours, ``rem`` the peer's.
"""

from typing import Annotated

from tkm.rpc.fields import LEAST_NONCE, Fixed, Flag, Octets, Sequence, Unsigned
from tkm.rpc.interface import Interface, Request, SizedFrames
from tkm.rpc.record import Empty, Record
from tkm.rpc.result import Result
from tkm.rpc.wipe import Buffer

RPC2 = Interface("IKE, generation 2", SizedFrames)
VERSION = 2

_id = Unsigned(4, low=1, fault=Result.INVALID_ID)

Id = Annotated[int, _id]
"""Number of a context; ``tkm_limits`` tells the highest."""
ObjectId = Annotated[int, _id]
"""Number of something configured: a policy, an identity, a CA."""
KeIds = Annotated[tuple[int, ...], Sequence(_id, 8, low=1)]
"""Key exchanges in the order in which they were done (RFC 9370: one, and up to seven more)."""
Method = Annotated[int, Unsigned(2)]
"""Key exchange method, by its number in IKEv2's transform type 4."""
Initiator = Annotated[bool, Flag()]
"""We are the initiator of this exchange."""
IkeSpi = Annotated[bytes, Fixed(8)]
EspSpi = Annotated[bytes, Fixed(4)]
Esn = Annotated[bool, Flag()]
"""Extended sequence numbers (RFC 4303, 2.2.1)."""
Encap = Annotated[tuple[int, ...], Sequence(Unsigned(2, low=1), 2)]
"""UDP ports, ours and the peer's, when a NAT is between us (RFC 3948); none when not."""
NonceOctets = Annotated[bytes, Octets(256, low=LEAST_NONCE)]
"""A nonce without its payload header (RFC 7296, 3.9)."""
PublicValue = Annotated[bytes, Octets(8192)]
Certificate = Annotated[bytes, Octets(16384)]
"""A certificate, DER."""
Message = Annotated[bytes, Octets(65535)]
"""An IKE message, or the part of one that the operation needs."""
PlainMessage = Annotated[Buffer, Octets(65535, secret=True)]
"""The same, with what the Encrypted payload holds in plain text."""
SignatureOctets = Annotated[bytes, Octets(4096)]
Count = Annotated[int, Unsigned(4)]


class VersionReply(Record):
    version: Annotated[int, Unsigned(4)]


class TkmVersion(Request[VersionReply], interface=RPC2, code=0x0000):
    """The generation of the protocol."""


class LimitsReply(Record):
    max_active_requests: Count
    nc: Count
    ke: Count
    cc: Count
    ae: Count
    isa: Count
    esa: Count


class TkmLimits(Request[LimitsReply], interface=RPC2, code=0x0001):
    """How many contexts of each kind there can be, and so their highest number: a setting."""


class TkmReset(Request[Empty], interface=RPC2, code=0x0002):
    """Reset all contexts, destroy their secrets and remove the states that they own.

    Should the kernel keep a state, the result is ``KERNEL_FAILURE``: its ``esa`` alone stays in
    use, for another try; all else is reset.
    """


class NcReset(Request[Empty], interface=RPC2, code=0x0100):
    nc: Id


class NonceReply(Record):
    nonce: NonceOctets


class NcCreate(Request[NonceReply], interface=RPC2, code=0x0101):
    """Make a nonce, to be used once."""

    nc: Id
    length: Annotated[int, Unsigned(2, low=LEAST_NONCE, high=256)]


class KeReset(Request[Empty], interface=RPC2, code=0x0200):
    ke: Id


class PublicValueReply(Record):
    public_value: PublicValue


class KeGet(Request[PublicValueReply], interface=RPC2, code=0x0201):
    """Our public value of a key exchange."""

    ke: Id
    method: Method


class KeSet(Request[Empty], interface=RPC2, code=0x0202):
    """The peer's public value of a key exchange; one that we have given out ourselves is none."""

    ke: Id
    method: Method
    public_value: PublicValue


class CcReset(Request[Empty], interface=RPC2, code=0x0300):
    cc: Id


class CcCheckCa(Request[Empty], interface=RPC2, code=0x0301):
    """Begin a certificate chain with a CA that is configured as number ``ca``."""

    cc: Id
    ca: ObjectId
    certificate: Certificate


class CcAddCertificate(Request[Empty], interface=RPC2, code=0x0302):
    """Add the certificate that the last one issued: intermediate CAs, then the peer's."""

    cc: Id
    certificate: Certificate


class CcCheckChain(Request[Empty], interface=RPC2, code=0x0303):
    """Finish the chain: its last certificate is that of the remote identity ``ri``."""

    cc: Id
    ri: ObjectId


class AeReset(Request[Empty], interface=RPC2, code=0x0800):
    ae: Id


class IsaReset(Request[Empty], interface=RPC2, code=0x0900):
    isa: Id


class CipherReply(Record):
    """What the client needs to lay out an Encrypted payload (RFC 7296, 3.14), in octets."""

    block: Annotated[int, Unsigned(1)]
    iv: Annotated[int, Unsigned(1)]
    icv: Annotated[int, Unsigned(1)]


class IsaCreate(Request[CipherReply], interface=RPC2, code=0x0901):
    """Derive the keys of a new IKE SA (RFC 7296, 2.14).

    ``ia``, and ``ea`` of a Child SA, are numbers of algorithms. 1: those of the original TKM. The
    others are made of IANA's transform ids, an octet each: encryption, octets of its key without
    the salt, integrity (0 for an AEAD cipher), PRF (0 for ESP). The policy must allow them.
    """

    isa: Id
    ae: Id
    ia: ObjectId
    ke: Id
    nc_loc: Id
    nonce_rem: NonceOctets
    initiator: Initiator
    spi_loc: IkeSpi
    spi_rem: IkeSpi


class SignatureReply(Record):
    """The AUTH payload: method, and data as it stands there (RFC 7296, 3.8; RFC 7427, 3)."""

    method: Annotated[int, Unsigned(1)]
    signature: SignatureOctets


class IsaSign(Request[SignatureReply], interface=RPC2, code=0x0902):
    """Sign for local identity ``lc``.

    ``hash_algorithms`` are those that the peer has announced (RFC 7427, 4); none: method 1.
    ``init_message`` is our IKE_SA_INIT message of this IKE SA, the last one that was sent: anything
    else is refused (``tkm.core.message``).
    """

    isa: Id
    lc: ObjectId
    hash_algorithms: Annotated[tuple[int, ...], Sequence(Unsigned(2), 32)]
    init_message: Message


class IsaAuth(Request[Empty], interface=RPC2, code=0x0903):
    """Authenticate the peer by its signature and a checked chain.

    ``init_message`` is the peer's IKE_SA_INIT message of this IKE SA. ``identity`` is the body of
    its Identification payload, for identities can be written in several ways, and AUTH covers the
    one that was sent; empty: as the policy writes it.
    """

    isa: Id
    cc: Id
    init_message: Message
    method: Annotated[int, Unsigned(1)]
    signature: SignatureOctets
    identity: Annotated[bytes, Octets(4096, low=0)] = b""


class IsaCreateChild(Request[CipherReply], interface=RPC2, code=0x0904):
    """Derive the keys of an IKE SA that takes the place of ``parent`` (RFC 7296, 2.18)."""

    isa: Id
    parent: Id
    ia: ObjectId
    ke: KeIds
    nc_loc: Id
    nonce_rem: NonceOctets
    initiator: Initiator
    spi_loc: IkeSpi
    spi_rem: IkeSpi


class IsaSkipCreateFirst(Request[Empty], interface=RPC2, code=0x0905):
    """IKE_AUTH brought no Child SA: later ones are allowed all the same."""

    isa: Id


class IsaUpdate(Request[Empty], interface=RPC2, code=0x0906):
    """Mix a further key exchange into the keys (RFC 9370, 2.2.2)."""

    isa: Id
    ke: Id


class IsaIntAuth(Request[Empty], interface=RPC2, code=0x0907):
    """Take an IKE_INTERMEDIATE message into what AUTH covers (RFC 9242, 3.3.2).

    :ivar verify: the message came from the peer.
    :ivar message: IntAuth_*A | IntAuth_*P: a whole message of this IKE SA, as if it were not
        encrypted; each side's in the order of their message ids, from 1.
    """

    isa: Id
    verify: Annotated[bool, Flag()]
    message: PlainMessage


class EncryptReply(Record):
    protected: Message
    """IV | ciphertext | ICV."""


class IsaEncrypt(Request[EncryptReply], interface=RPC2, code=0x0908):
    """Protect an outbound IKE message.

    :ivar message: additional data (the message from its header to the Encrypted payload's generic
        header, ``aad_length`` octets), then the padded plain text.
    """

    isa: Id
    aad_length: Count
    message: PlainMessage


class DecryptReply(Record):
    plain: PlainMessage
    """The padded plain text."""


class IsaDecrypt(Request[DecryptReply], interface=RPC2, code=0x0909):
    """Check and decrypt an inbound IKE message.

    :ivar message: additional data of ``aad_length`` octets, then IV, ciphertext and ICV.
    """

    isa: Id
    aad_length: Count
    message: Message


class EsaReset(Request[Empty], interface=RPC2, code=0x0A00):
    esa: Id


class EsaCreate(Request[Empty], interface=RPC2, code=0x0A01):
    """A Child SA with a key exchange of its own (RFC 7296, 2.17)."""

    esa: Id
    isa: Id
    sp: ObjectId
    ea: ObjectId
    ke: KeIds
    nc_loc: Id
    nonce_rem: NonceOctets
    initiator: Initiator
    spi_loc: EspSpi
    spi_rem: EspSpi
    esn: Esn = False
    encap: Encap = ()


class EsaCreateNoPfs(Request[Empty], interface=RPC2, code=0x0A02):
    """A Child SA without a key exchange of its own."""

    esa: Id
    isa: Id
    sp: ObjectId
    ea: ObjectId
    nc_loc: Id
    nonce_rem: NonceOctets
    initiator: Initiator
    spi_loc: EspSpi
    spi_rem: EspSpi
    esn: Esn = False
    encap: Encap = ()


class EsaCreateFirst(Request[Empty], interface=RPC2, code=0x0A03):
    """The Child SA of IKE_AUTH.

    Its keys are derived once: if the kernel refuses them, ``isa_skip_create_first`` comes next.
    """

    esa: Id
    isa: Id
    sp: ObjectId
    ea: ObjectId
    spi_loc: EspSpi
    spi_rem: EspSpi
    esn: Esn = False
    encap: Encap = ()


class EsaSelect(Request[Empty], interface=RPC2, code=0x0A04):
    """Send through this Child SA from now on.

    ``esa_create``, ``esa_create_no_pfs`` and ``esa_create_first`` have installed the state that
    receives; this installs the one that sends. Again, it changes nothing.
    """

    esa: Id
