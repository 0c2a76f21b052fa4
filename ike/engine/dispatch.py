# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of requests: exchange type -> states in which it is answered, function that answers.

IKE_SA_INIT is not in it: such a request creates an IKE SA (:mod:`ike.engine.ike_sa_init_responder`)
and is only answered again later, octet for octet.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ike.engine import (
    create_child_sa,
    followup_ke,
    ike_auth,
    ike_intermediate,
    informational,
    rekey_child_sa,
    rekey_ike_sa,
)
from ike.engine.exchange import IkeSaContext
from ike.engine.states import State
from ike.message.errors import UnknownExchange
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType, Protocol, name
from ike.message.payloads import Payload, SecurityAssociation


class Rule(NamedTuple):
    """How requests of an exchange type are handled.

    Attributes:
        states: The states of an IKE SA in which they are answered; in others they are dropped.
        respond: Returns the payloads of the response. It raises ``PeerError`` for a request that is
            answered by an error Notify alone; then nothing has changed.
    """

    states: frozenset[State]
    respond: Callable[[IkeSaContext, Message], Sequence[Payload]]


def _create_child_sa(sa: IkeSaContext, message: Message) -> Sequence[Payload]:
    """Answer CREATE_CHILD_SA, which is three exchanges in one (RFC 7296, 1.3)."""
    offered = message.need(SecurityAssociation).proposals
    if any(proposal.protocol == Protocol.IKE for proposal in offered):
        return rekey_ike_sa.respond(sa, message)
    if rekey := message.notify(NotifyType.REKEY_SA):
        return rekey_child_sa.respond(sa, message, rekey)
    return create_child_sa.respond(sa, message)


def _refuse(_sa: IkeSaContext, message: Message) -> Sequence[Payload]:
    """Answer an exchange type that we do not know: INVALID_SYNTAX, and the window moves on."""
    raise UnknownExchange(f"exchange {name(ExchangeType, message.header.exchange)} is not known")


_SETUP = frozenset({State.HALF_OPEN})
_SECURED = frozenset({State.ESTABLISHED, State.REKEYED, State.DELETING})

REQUESTS: Mapping[int, Rule] = {
    ExchangeType.IKE_INTERMEDIATE: Rule(_SETUP, ike_intermediate.respond),
    ExchangeType.IKE_AUTH: Rule(_SETUP, ike_auth.respond),
    ExchangeType.CREATE_CHILD_SA: Rule(_SECURED, _create_child_sa),
    ExchangeType.IKE_FOLLOWUP_KE: Rule(_SECURED, followup_ke.respond),
    ExchangeType.INFORMATIONAL: Rule(_SECURED, informational.respond),
}

_UNKNOWN = Rule(_SECURED, _refuse)


def rule_of(exchange: int) -> Rule | None:
    """Return how requests of an exchange type are handled; ``None``: not on an IKE SA."""
    if exchange == ExchangeType.IKE_SA_INIT:
        return None
    return REQUESTS.get(exchange, _UNKNOWN)
