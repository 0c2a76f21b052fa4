# SPDX-License-Identifier: GPL-2.0-or-later
"""CREATE_CHILD_SA that rekeys the IKE SA itself (RFC 7296, 1.3.2, 2.18 and 2.25.2).

The new IKE SA inherits the authenticated peer with its Child SAs, see :mod:`ike.engine.peer`. Who
has asked for it deletes the old one. Two at once are settled by the nonces, as with Child SAs.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ike.config import proposals
from ike.engine import negotiation
from ike.engine.exchange import Scope
from ike.engine.followup_ke import Followed, conclude
from ike.engine.key_exchange_state import KeyExchangeState
from ike.engine.lifetime import PATIENCE
from ike.engine.states import State
from ike.errors import PeerError, TemporaryFailure
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType, Protocol
from ike.message.payload import Payload
from ike.message.sa import Proposal, SecurityAssociation
from ike.tkm_client import KeyInputs

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")

_SPI_SIZE = 8


class RekeyIkeSa(Followed):
    """Put another IKE SA in the place of the one that this is done on.

    :param method: of the key exchange; by default the preferred one of the configuration.
    """

    kind = ExchangeType.CREATE_CHILD_SA
    scope = Scope.IKE_SA

    def __init__(self, method: int | None = None) -> None:
        self._method = method
        self._spi = b""
        self._offer = SecurityAssociation(())
        self._key_state: KeyExchangeState | None = None
        self._result: tuple[KeyInputs, Proposal] | None = None

    def is_wanted(self, sa: "IkeSa") -> bool:
        return sa.state is State.ESTABLISHED

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        suites = sa.connection.proposals
        log.info("initiating rekeying of IKE_SA %s", sa.name)
        self._spi = sa.context.new_ike_spi()
        self._offer = negotiation.offer(suites, Protocol.IKE, self._spi)
        self._key_state = KeyExchangeState(
            sa.context.tkm, self._method or proposals.groups(suites[0])[0]
        )
        return (self._offer, *self._key_state.payloads())

    def response(self, sa: "IkeSa", message: Message) -> None:
        message.raise_error()
        if self._key_state is None:
            raise LookupError("the rekeying has not begun")
        chosen = negotiation.check(self._offer, message.need(SecurityAssociation), _SPI_SIZE)
        spis = self._spi, chosen.spi
        key_inputs = self._key_state.complete(chosen, message, initiator=True, spis=spis)
        self._result = key_inputs, chosen
        self.follow_up(sa, self._key_state, negotiation.additional_of(chosen), message)

    def finish(self, sa: "IkeSa", key_state: KeyExchangeState) -> None:
        if self._result is None:
            raise LookupError("the rekeying is not answered")
        key_inputs, chosen = self._result
        successor = sa.succeed(key_inputs, chosen.transforms)
        key_state.free()
        collision = sa.living_collision()
        if collision and key_inputs.lowest_nonce < collision[1]:
            sa.replaced_by(collision[0])
            successor.delete("it is redundant, the peer has rekeyed, too")
            return
        sa.replaced_by(successor)
        if collision:
            collision[0].is_redundant()
        sa.delete("it was rekeyed")

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        super().failed(sa, error)
        collision, sa.collision = sa.living_collision(), None
        if collision:
            sa.replaced_by(collision[0])
        elif error.notify in (NotifyType.TEMPORARY_FAILURE, NotifyType.STATE_NOT_FOUND):
            sa.lifetime.rekey_at = sa.context.later()
        elif (method := self._other_method(sa, error)) is not None:
            sa.queue.put_first(RekeyIkeSa(method))
        elif sa.state is State.ESTABLISHED:
            sa.lifetime.rekey_at = sa.context.now + PATIENCE

    def _other_method(self, sa: "IkeSa", error: PeerError) -> int | None:
        """The key exchange that the peer wants in place of ours."""
        offered = {g for suite in sa.connection.proposals for g in proposals.groups(suite)}
        wanted = int.from_bytes(error.data, "big")
        first = error.notify == NotifyType.INVALID_KE_PAYLOAD and self._method is None
        return wanted if first and wanted in offered else None

    def abandon(self) -> None:
        if self._key_state:
            self._key_state.free()


def respond(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """Answer a request to rekey the IKE SA."""
    _check(sa)
    offered = message.need(SecurityAssociation)
    chosen = negotiation.choose(sa.connection.proposals, offered, Protocol.IKE, _SPI_SIZE)
    spi = sa.context.new_ike_spi()
    with KeyExchangeState(sa.context.tkm, negotiation.group_of(chosen)) as key_state:
        payloads = key_state.payloads()
        key_inputs = key_state.complete(chosen, message, initiator=False, spis=(spi, chosen.spi))

        def finish() -> None:
            _check(sa)
            _succeeded(sa, sa.succeed(key_inputs, chosen.transforms), key_inputs)

        further = conclude(sa, key_state, negotiation.additional_of(chosen), finish)
    answer = Proposal(chosen.number, Protocol.IKE, spi, chosen.transforms)
    return (SecurityAssociation((answer,)), *payloads, *further)


def _check(sa: "IkeSa") -> None:
    """Nothing is under way that this would collide with.

    :raises TemporaryFailure: something is.
    """
    current = sa.queue.current
    if sa.state is not State.ESTABLISHED or sa.collision:
        raise TemporaryFailure(f"IKE SA {sa.name} is {sa.state.value}")
    if current and current.scope is Scope.CHILD_SA:
        raise TemporaryFailure("a Child SA of this IKE SA is being set up or deleted")


def _succeeded(sa: "IkeSa", successor: "IkeSa", key_inputs: KeyInputs) -> None:
    current = sa.queue.current
    if current and current.scope is Scope.IKE_SA:
        sa.collision = successor, key_inputs.lowest_nonce
    else:
        sa.replaced_by(successor)
