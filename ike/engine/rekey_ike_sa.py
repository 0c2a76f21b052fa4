# SPDX-License-Identifier: GPL-2.0-or-later
"""CREATE_CHILD_SA that rekeys the IKE SA itself (RFC 7296, 1.3.2, 2.18 and 2.25.2).

The new IKE SA inherits the authenticated peer with its Child SAs, see :mod:`ike.engine.peer`. The
side that asked for it deletes the old one. If both sides do so at once the nonces decide, as with
Child SAs.
"""

import logging
from collections.abc import Sequence

from ike.config import proposals
from ike.engine import followup_ke, negotiation, share
from ike.engine.create_child_sa import begin_anew
from ike.engine.exchange import Exchange, IkeSaContext, Request, Scope, Steps
from ike.engine.followup_ke import conclude
from ike.engine.informational import delete_ike_sa
from ike.engine.key_exchange_state import KeyExchangeState
from ike.engine.lifetime import PATIENCE
from ike.engine.states import State
from ike.message.errors import PeerError, TemporaryFailure
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType, Protocol
from ike.message.payloads import Payload, SecurityAssociation
from ike.message.substructures import Proposal
from ike.tkm_client import KeyInputs

log = logging.getLogger("ike")

_SPI_SIZE = 8


class RekeyIkeSa(Exchange[IkeSaContext]):
    """Create an IKE SA in the place of the one on which this is done.

    Args:
        method: Method of the key exchange; by default the first one of the configuration.
    """

    scope = Scope.IKE_SA

    def __init__(self, method: int | None = None) -> None:
        self._method = method

    def is_wanted(self, sa: IkeSaContext) -> bool:
        return sa.state is State.ESTABLISHED

    def run(self, sa: IkeSaContext) -> Steps:
        suites = sa.connection.proposals
        log.info("initiating rekeying of IKE_SA %s", sa.name)
        spi = sa.new_spi()
        offer = negotiation.offer(suites, Protocol.IKE, spi)
        method = self._method or proposals.groups(suites[0])[0]
        with KeyExchangeState(sa.context.tkm, method) as key_state:
            message = yield Request(ExchangeType.CREATE_CHILD_SA, (offer, *key_state.payloads()))
            message.raise_error()
            chosen = negotiation.check(offer, message.need(SecurityAssociation), _SPI_SIZE)
            spis = spi, chosen.spi
            inputs = key_state.complete(chosen, message, initiator=True, spis=spis)
            methods = negotiation.additional_of(chosen)
            yield from followup_ke.initiate(key_state, methods, message)
            successor = sa.create_successor(inputs, chosen.transforms)
        self._succeeded(sa, successor, inputs)

    def _succeeded(self, sa: IkeSaContext, successor: IkeSaContext, inputs: KeyInputs) -> None:
        collision = sa.take_collision()
        if collision and inputs.lowest_nonce < collision.lowest_nonce:
            sa.replaced_by(collision.successor)
            delete_ike_sa(successor, "it is redundant, the peer has rekeyed, too")
            return
        sa.replaced_by(successor)
        if collision:
            collision.successor.is_redundant()
        delete_ike_sa(sa, "it was rekeyed")

    def failed(self, sa: IkeSaContext, error: PeerError) -> None:
        super().failed(sa, error)
        if collision := sa.take_collision():
            sa.replaced_by(collision.successor)
        elif error.notify in (NotifyType.TEMPORARY_FAILURE, NotifyType.STATE_NOT_FOUND):
            sa.lifetime.rekey_again(sa.context.later())
        elif (method := self._other_method(sa, error)) is not None:
            sa.enqueue_first(RekeyIkeSa(method))
        elif sa.state is State.ESTABLISHED:
            sa.lifetime.rekey_again(sa.context.now + PATIENCE)
            begin_anew(sa, error)

    def _other_method(self, sa: IkeSaContext, error: PeerError) -> int | None:
        """Return the method that the peer wants in place of ours, if we have offered it."""
        offered = {g for suite in sa.connection.proposals for g in proposals.groups(suite)}
        wanted = int.from_bytes(error.data, "big")
        first = error.notify == NotifyType.INVALID_KE_PAYLOAD and self._method is None
        return wanted if first and wanted in offered else None


def respond(sa: IkeSaContext, message: Message) -> Sequence[Payload]:
    """Answer a request to rekey the IKE SA."""
    _check(sa)
    share.check_line(sa)
    offered = message.need(SecurityAssociation)
    chosen = negotiation.choose(sa.connection.proposals, offered, Protocol.IKE, _SPI_SIZE)
    spi = sa.new_spi()
    with KeyExchangeState(sa.context.tkm, negotiation.group_of(chosen)) as key_state:
        payloads = key_state.payloads()
        key_inputs = key_state.complete(chosen, message, initiator=False, spis=(spi, chosen.spi))

        def finish() -> None:
            _check(sa)
            _succeeded(sa, sa.create_successor(key_inputs, chosen.transforms), key_inputs)

        further = conclude(sa, key_state, negotiation.additional_of(chosen), finish)
    answer = Proposal(chosen.number, Protocol.IKE, spi, chosen.transforms)
    return (SecurityAssociation((answer,)), *payloads, *further)


def _check(sa: IkeSaContext) -> None:
    """Check that the request collides with nothing.

    Raises:
        TemporaryFailure: It does.
    """
    outstanding = sa.outstanding
    if sa.state is not State.ESTABLISHED or sa.is_colliding:
        raise TemporaryFailure(f"IKE SA {sa.name} is {sa.state.value}")
    if outstanding and outstanding.scope is Scope.CHILD_SA:
        raise TemporaryFailure("a Child SA of this IKE SA is being set up or deleted")


def _succeeded(sa: IkeSaContext, successor: IkeSaContext, inputs: KeyInputs) -> None:
    outstanding = sa.outstanding
    if outstanding and outstanding.scope is Scope.IKE_SA:
        sa.note_collision(successor, inputs.lowest_nonce)
    else:
        sa.replaced_by(successor)
