# SPDX-License-Identifier: GPL-2.0-or-later
"""What both sides must support before one of them uses it; IKE_SA_INIT tells (RFC 7296, 2.5)."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ike.config import proposals
from ike.engine import fragmentation
from ike.message.message import Message
from ike.message.notify import Notify
from ike.message.numbers import NotifyType

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


def offer(sa: "IkeSa") -> list[Notify]:
    """The Notifies of a request: what we support for this peer."""
    return [Notify(kind) for kind in _supported(sa)]


def agree(sa: "IkeSa", message: Message) -> list[Notify]:
    """Use what both sides support: the Notifies of a response, if that is what ``message`` gets."""
    agreed = [kind for kind in _supported(sa) if message.notify(kind)]
    channel = sa.channel
    if NotifyType.FRAGMENTATION_SUPPORTED in agreed:
        channel.fragment_limit = fragmentation.limit(channel.remote.host, sa.context.settings)
    return [Notify(kind) for kind in agreed]


def _supported(sa: "IkeSa") -> Sequence[NotifyType]:
    connections = sa.candidates()
    kinds = []
    if any(connection.fragmentation for connection in connections):
        kinds.append(NotifyType.FRAGMENTATION_SUPPORTED)
    if any(map(proposals.has_additional, (s for c in connections for s in c.proposals))):
        kinds.append(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)
    return kinds
