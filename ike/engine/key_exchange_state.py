# SPDX-License-Identifier: GPL-2.0-or-later
"""What we contribute to a key derivation: a nonce, and a key exchange if there is one."""

from collections.abc import Callable, Sequence
from typing import Self

from ike.engine import negotiation
from ike.message.errors import InvalidKePayload, MalformedMessage
from ike.message.message import Message
from ike.message.payloads import KeyExchange as KeyExchangePayload
from ike.message.payloads import Nonce as NoncePayload
from ike.message.payloads import Payload
from ike.message.substructures import Proposal
from ike.tkm_client import KeyExchange, KeyInputs, Nonce, TkmClient
from tkm.rpc.fields import LEAST_NONCE


class KeyExchangeState:
    """The nonce and key exchanges of an exchange; as a context manager it frees them.

    Args:
        method: Of the key exchange; 0: none.
    """

    def __init__(self, tkm: TkmClient, method: int) -> None:
        self._tkm = tkm
        self._nonce = Nonce(tkm)
        self._key_exchange: KeyExchange | None = None
        self._completed: list[KeyExchange] = []
        self._is_held = False
        if method:
            try:
                self._key_exchange = KeyExchange(tkm, method)
            except BaseException:
                self._nonce.free()
                raise

    @property
    def method(self) -> int:
        """The key exchange's method; 0: there is none."""
        return self._key_exchange.method if self._key_exchange else 0

    def change_method(self, method: int) -> None:
        """Another key exchange in place of the one that there is."""
        if self._key_exchange:
            self._key_exchange.free()
        self._key_exchange = KeyExchange(self._tkm, method)

    def payloads(self) -> Sequence[Payload]:
        """Our Nonce and KE payloads."""
        nonce = NoncePayload(self._nonce.octets)
        exchange = self._key_exchange
        if not exchange:
            return (nonce,)
        return nonce, KeyExchangePayload(exchange.method, exchange.public_value)

    def complete(
        self,
        chosen: Proposal,
        message: Message,
        *,
        initiator: bool,
        spis: tuple[bytes, bytes],
    ) -> KeyInputs:
        """Take the peer's half from its message.

        Args:
            chosen: The proposal.
            spis: Of the new SA, ours and the peer's.

        Raises:
            PeerError: It is missing or not acceptable.
        """
        peer_nonce = message.need(NoncePayload).octets
        if len(peer_nonce) < LEAST_NONCE:
            raise MalformedMessage(
                f"a nonce of {len(peer_nonce)} octets: the PRF needs {LEAST_NONCE} (RFC 7296, 2.10)"
            )
        if group := negotiation.group_of(chosen):
            self.take(message, group)
        return KeyInputs(
            nonce=self._nonce,
            peer_nonce=peer_nonce,
            key_exchanges=self._completed,
            initiator=initiator,
            spi_local=spis[0],
            spi_remote=spis[1],
        )

    def begin(self, method: int) -> Payload:
        """A further key exchange, as initiator: our KE payload."""
        exchange = self._key_exchange = KeyExchange(self._tkm, method)
        return KeyExchangePayload(exchange.method, exchange.public_value)

    def answer(self, message: Message, method: int) -> Payload:
        """A further key exchange, as responder: the peer's half is taken, this is ours.

        Raises:
            PeerError: The peer's is not acceptable.
        """
        exchange = self._key_exchange = KeyExchange(self._tkm, method)
        self.take(message, method)
        return KeyExchangePayload(exchange.method, exchange.public_value)

    def take(self, message: Message, method: int) -> None:
        """Take the peer's half of the key exchange; it belongs to the shares from now on.

        Raises:
            PeerError: It is not acceptable, but another may follow; or ours is of another method.
        """
        exchange = self._key_exchange
        public_value = negotiation.public_value(message, method)
        if exchange is None or exchange.method != method:
            raise InvalidKePayload(
                f"the peer has chosen key exchange {method}, which has not started",
                data=method.to_bytes(2, "big"),
            )
        exchange.complete(public_value)
        self._completed.append(exchange)
        self._key_exchange = None

    def free(self) -> None:
        """Give back what has not been used up."""
        self._nonce.free()
        for exchange in (self._key_exchange, *self._completed):
            if exchange:
                exchange.free()

    def hold(self) -> Self:
        """Keep everything at the end of the ``with`` statement: it is continued later."""
        self._is_held = True
        return self

    def __enter__(self) -> Self:
        self._is_held = False
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_held:
            self.free()


class PendingKeyExchanges:
    """Key exchanges that the peer has still to do in IKE_FOLLOWUP_KE (RFC 9370, 2.2.4).

    Args:
        key_state: What both sides have contributed so far.
        methods: The methods of the key exchanges to do.
        finish: Called after the last of them; raises ``PeerError`` if nothing can come of it.
        link: Octets that the peer has to return with its next request.
        deadline: When they are given up.
    """

    def __init__(
        self,
        key_state: KeyExchangeState,
        methods: Sequence[int],
        finish: Callable[[], None],
        link: bytes,
        deadline: float,
    ) -> None:
        self.key_state = key_state
        self.methods = methods
        self.finish = finish
        self.link = link
        self.deadline = deadline

    def free(self) -> None:
        """Give back what was taken for them."""
        self.key_state.free()
