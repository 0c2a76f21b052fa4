# SPDX-License-Identifier: GPL-2.0-or-later
"""How much one authenticated peer may have for a policy; a successor replaces what is old.

A peer that has come back without INITIAL_CONTACT, or that comes again and again, leaves IKE SAs
behind that only their own end would remove. The newest one stands, and of the others as many as two
sides need that reauthenticate and initiate at once; the oldest go. Child SAs, and IKE SAs that
rekeying leaves behind, are refused beyond their number: whoever wants more deletes some of them.

The numbers together stay within the TKM's quotas of a policy (``tkm.core.quota``), so whoever has
proven the identity always finds room there.
"""

import logging
from typing import Final

from ike.engine.exchange import ExchangeContext, SetupContext
from ike.message.errors import NoAdditionalSas

log = logging.getLogger("ike")

PEERS: Final = 3
"""Authentications that stand side by side; a fourth one makes the oldest end."""
LINE: Final = 4
"""IKE SAs that have come of one authentication by rekeying and still exist."""
CHILDREN: Final = 4
"""Child SAs of one authentication that are no successors."""
SUCCESSORS: Final = 4
"""Child SAs beyond these that rekeying may leave for a moment."""


def make_room(sa: SetupContext) -> None:
    """Close the oldest IKE SAs of a peer that has just been authenticated once more."""
    others = sa.other_authentications()
    for other in others[: max(0, len(others) + 1 - PEERS)]:
        log.info("%s is closed: the peer has newer ones", other.name)
        other.close_line("the peer has set up newer ones")


def check_line(sa: ExchangeContext) -> None:
    """Check that an IKE SA may be rekeyed once more.

    Raises:
        NoAdditionalSas: Too many of its predecessors were not deleted.
    """
    if len(sa.line) >= LINE:
        raise NoAdditionalSas(f"{len(sa.line)} IKE SAs have succeeded one another and still exist")


def check_children(sa: ExchangeContext, *, is_rekeying: bool) -> None:
    """Check that a peer may have one more Child SA.

    Raises:
        NoAdditionalSas: It has as many as it may have.
    """
    most = CHILDREN + SUCCESSORS if is_rekeying else CHILDREN
    if len(sa.peer.children) >= most:
        raise NoAdditionalSas(f"the peer has {len(sa.peer.children)} CHILD_SAs already")
