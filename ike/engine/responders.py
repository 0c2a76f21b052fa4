# SPDX-License-Identifier: GPL-2.0-or-later
"""Which function answers which request of the peer."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ike.engine import (
    create_child_sa,
    followup_ke,
    ike_auth,
    ike_intermediate,
    informational,
    rekey_child_sa,
    rekey_ike_sa,
)
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType, Protocol
from ike.message.payload import Payload
from ike.message.sa import SecurityAssociation

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

Responder = Callable[["IkeSa", Message], Sequence[Payload]]
"""Takes a request that is the peer's, gives the payloads of the response.

It raises PeerError for a request that is answered by a single error Notify; then nothing has
changed.
"""


def _create_child_sa(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """CREATE_CHILD_SA is three exchanges in one (1.3)."""
    offered = message.need(SecurityAssociation).proposals
    if any(proposal.protocol == Protocol.IKE for proposal in offered):
        return rekey_ike_sa.respond(sa, message)
    if rekey := message.notify(NotifyType.REKEY_SA):
        return rekey_child_sa.respond(sa, message, rekey)
    return create_child_sa.respond(sa, message)


RESPONDERS: Mapping[int, Responder] = {
    ExchangeType.IKE_INTERMEDIATE: ike_intermediate.respond,
    ExchangeType.IKE_AUTH: ike_auth.respond,
    ExchangeType.CREATE_CHILD_SA: _create_child_sa,
    ExchangeType.IKE_FOLLOWUP_KE: followup_ke.respond,
    ExchangeType.INFORMATIONAL: informational.respond,
}
