# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys of IKE SAs and Child SAs, which stay in the TKM."""

from collections.abc import Sequence
from typing import Any, Self

from ike.tkm_client.client import Context
from ike.tkm_client.key_inputs import KeyExchange, KeyInputs
from ike.value import Value
from tkm.algorithms import ORIGINAL
from tkm.rpc import rpc2
from tkm.rpc.interface import Request


class AuthenticatedEndpoint(Context):
    """The peer as authenticated once, shared by an IKE SA and those that take its place."""

    kind = "ae"

    def _reset(self) -> Request[Any]:
        return rpc2.AeReset(ae=self.id)


class IkeKeys(Context):
    """The keys of an IKE SA, which stay in the TKM.

    Attributes:
        block: Cipher block size in octets.
        iv: Length of the initialization vector.
        icv: Length of the integrity check value.
    """

    kind = "isa"

    def _take_layout(self, reply: rpc2.CipherReply) -> Self:
        self.block, self.iv, self.icv = reply.block, reply.iv, reply.icv
        return self

    @classmethod
    def create(
        cls, endpoint: AuthenticatedEndpoint, key_inputs: KeyInputs, algorithms: int = ORIGINAL
    ) -> Self:
        """Of IKE_SA_INIT (RFC 7296, 2.14).

        Args:
            algorithms: Number of those that were agreed on (``tkm.algorithms.number_of``).

        Raises:
            TrustedRefusal: The shares are as they were.
        """
        keys = cls(endpoint.tkm)
        request = rpc2.IsaCreate(
            isa=keys.id,
            ae=endpoint.id,
            ia=algorithms,
            ke=key_inputs.ke_ids[0],
            **key_inputs.fields(),
        )
        keys._take_layout(keys._made_by(request))
        key_inputs.used_up()
        return keys

    def successor(self, key_inputs: KeyInputs, algorithms: int = ORIGINAL) -> Self:
        """Of an IKE SA that takes this one's place (RFC 7296, 2.18).

        Args:
            algorithms: Number of those that were agreed on.

        Raises:
            TrustedRefusal: The shares are as they were.
        """
        keys = type(self)(self.tkm)
        request = rpc2.IsaCreateChild(
            isa=keys.id,
            parent=self.id,
            ia=algorithms,
            ke=key_inputs.ke_ids,
            **key_inputs.fields(),
        )
        keys._take_layout(keys._made_by(request))
        key_inputs.used_up()
        return keys

    def sign(
        self, identity: int, init_message: bytes, hash_algorithms: Sequence[int]
    ) -> tuple[int, bytes]:
        """Method and data of our AUTH payload.

        Args:
            identity: Number of our identity in the TKM's configuration.
            init_message: Our first message, the IKE_SA_INIT that was answered or answers.
            hash_algorithms: Those that the peer has announced (RFC 7427).
        """
        reply = self.tkm.call(
            rpc2.IsaSign(
                isa=self.id,
                lc=identity,
                hash_algorithms=tuple(hash_algorithms[:32]),
                init_message=init_message,
            )
        )
        return reply.method, reply.signature

    def authenticate(
        self,
        chain: "CertificateChain",
        init_message: bytes,
        auth: tuple[int, bytes],
        identity: bytes,
    ) -> None:
        """Authenticate the peer.

        Args:
            chain: Its certificates, checked.
            init_message: The peer's IKE_SA_INIT message.
            auth: Method and data of its AUTH payload.
            identity: The body of its Identification payload.

        Raises:
            TrustedRefusal: This is not the peer.
        """
        method, signature = auth
        self.tkm.call(
            rpc2.IsaAuth(
                isa=self.id,
                cc=chain.id,
                init_message=init_message,
                method=method,
                signature=signature,
                identity=identity,
            )
        )

    def cover(self, octets: bytes, *, received: bool) -> None:
        """Let AUTH cover an IKE_INTERMEDIATE message, too (RFC 9242, 3.3.2).

        Args:
            octets: IntAuth_*A | IntAuth_*P.
            received: It is the peer's.
        """
        self.tkm.call(rpc2.IsaIntAuth(isa=self.id, verify=received, message=octets))

    def update(self, exchange: KeyExchange) -> None:
        """Mix a completed key exchange into them, which uses it up (RFC 9370, 2.2.2)."""
        self.tkm.call(rpc2.IsaUpdate(isa=self.id, ke=exchange.id))
        exchange.used_up()

    def skip_first_child(self) -> None:
        """IKE_AUTH brings no Child SA."""
        self.tkm.call(rpc2.IsaSkipCreateFirst(isa=self.id))

    def encrypt(self, associated: bytes, plain: bytes) -> bytes:
        """Protect ``plain``, padded to whole blocks: IV | ciphertext | ICV."""
        request = rpc2.IsaEncrypt(
            isa=self.id, aad_length=len(associated), message=associated + plain
        )
        return self.tkm.call(request).protected

    def decrypt(self, associated: bytes, protected: bytes) -> bytes:
        """The padded plain text of IV | ciphertext | ICV.

        Raises:
            TrustedRefusal: The message does not come from the peer.
        """
        request = rpc2.IsaDecrypt(
            isa=self.id, aad_length=len(associated), message=associated + protected
        )
        return bytes(self.tkm.call(request).plain)

    def _reset(self) -> Request[Any]:
        return rpc2.IsaReset(isa=self.id)


class CertificateChain(Context):
    """A certificate chain, from a CA down to the peer, needed for the time of a ``with``.

    Each method raises TrustedRefusal for what the TKM does not accept there.
    """

    kind = "cc"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def begin(self, number: int, certificate: bytes) -> None:
        """Begin at a CA: its number in the TKM's configuration and its certificate, DER."""
        self.tkm.call(rpc2.CcCheckCa(cc=self.id, ca=number, certificate=certificate))

    def add(self, certificate: bytes) -> None:
        """Append a certificate, DER, that the last one has issued."""
        self.tkm.call(rpc2.CcAddCertificate(cc=self.id, certificate=certificate))

    def check(self, remote_id: int) -> None:
        """Have the whole chain validated, for the remote identity (``ri``) of a policy."""
        self.tkm.call(rpc2.CcCheckChain(cc=self.id, ri=remote_id))

    def _reset(self) -> Request[Any]:
        return rpc2.CcReset(cc=self.id)


class EspOptions(Value):
    """How the packets of a Child SA are framed and protected.

    Attributes:
        esn: With extended sequence numbers.
        encap: The UDP ports that they are in, ours and the peer's; none if in no UDP.
        algorithms: Number of those that protect them (``tkm.algorithms.number_of``).
    """

    esn: bool = False
    encap: tuple[int, ...] = ()
    algorithms: int = ORIGINAL


class ChildKeys(Context):
    """The keys of a Child SA, and its two states in the kernel."""

    kind = "esa"

    @classmethod
    def first(
        cls, keys: IkeKeys, policy: int, spis: tuple[bytes, bytes], esp_options: EspOptions
    ) -> Self:
        """Of IKE_AUTH.

        Args:
            policy: Number of the policy (``sp``), the reqid.
            spis: Ours and the peer's.
        """
        child = cls(keys.tkm)
        child._made_by(
            rpc2.EsaCreateFirst(
                esa=child.id,
                isa=keys.id,
                sp=policy,
                ea=esp_options.algorithms,
                spi_loc=spis[0],
                spi_rem=spis[1],
                esn=esp_options.esn,
                encap=esp_options.encap,
            )
        )
        return child

    @classmethod
    def create(
        cls, keys: IkeKeys, policy: int, key_inputs: KeyInputs, esp_options: EspOptions
    ) -> Self:
        """Of CREATE_CHILD_SA (RFC 7296, 2.17).

        Raises:
            TrustedRefusal: The shares are as they were.
        """
        child = cls(keys.tkm)
        common = {
            "esa": child.id,
            "isa": keys.id,
            "sp": policy,
            "ea": esp_options.algorithms,
            "esn": esp_options.esn,
            "encap": esp_options.encap,
            **key_inputs.fields(),
        }
        if key_inputs.key_exchanges:
            child._made_by(rpc2.EsaCreate(ke=key_inputs.ke_ids, **common))
        else:
            child._made_by(rpc2.EsaCreateNoPfs(**common))
        key_inputs.used_up()
        return child

    def select(self) -> None:
        """Send through it from now on."""
        self.tkm.call(rpc2.EsaSelect(esa=self.id))

    def _reset(self) -> Request[Any]:
        return rpc2.EsaReset(esa=self.id)
