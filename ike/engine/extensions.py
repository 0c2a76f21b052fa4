# SPDX-License-Identifier: GPL-2.0-or-later
"""Extensions that both sides must support, negotiated in IKE_SA_INIT (RFC 7296, 2.5)."""

import logging
from collections.abc import Sequence

from ike.config import proposals
from ike.engine.exchange import SetupContext
from ike.message.message import Message
from ike.message.numbers import NotifyType
from ike.message.payloads import Notify

log = logging.getLogger("ike")


def offer(sa: SetupContext) -> list[Notify]:
    """The Notifies of a request: what we support for this peer."""
    return [Notify(kind) for kind in _supported(sa)]


def agree(sa: SetupContext, message: Message) -> list[Notify]:
    """Use what both sides support: the Notifies of a response, if that is what ``message`` gets."""
    agreed = [kind for kind in _supported(sa) if message.notify(kind)]
    if NotifyType.FRAGMENTATION_SUPPORTED in agreed:
        sa.allow_fragments()
    return [Notify(kind) for kind in agreed]


def _supported(sa: SetupContext) -> Sequence[NotifyType]:
    connections = sa.candidates()
    kinds = []
    if any(connection.fragmentation for connection in connections):
        kinds.append(NotifyType.FRAGMENTATION_SUPPORTED)
    if any(map(proposals.has_additional, (s for c in connections for s in c.proposals))):
        kinds.append(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)
    return kinds
