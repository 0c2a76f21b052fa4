# SPDX-License-Identifier: GPL-2.0-or-later
"""One IKE SA with each peer (RFC 7296, 2.4): what a new one makes of those that there are.

Who has lost them all says INITIAL_CONTACT, and the other side closes what is left of them. Where
both sides begin at once there are two. Whoever sees that they overlap deletes one, the same one on
both sides: that which was begun by who knew of no other, for the peer, who did, may be about to
reauthenticate it; or else that of the lower SPIs.
"""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ike.engine.informational import DeleteIkeSa
from ike.engine.states import State

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


def others(sa: "IkeSa") -> "Iterator[IkeSa]":
    """The other IKE SAs that stand between the same two identities."""
    identities = sa.connection.identities
    for other in [each for each in sa.context.sas.values() if each.state is State.ESTABLISHED]:
        connection = other.peer.connection
        if connection and other.peer is not sa.peer and connection.identities == identities:
            yield other


def older(sa: "IkeSa") -> "list[IkeSa]":
    """Those that stood before ``sa`` was begun, for the same policy."""
    return [each for each in others(sa) if _is_older(each, sa) and _is_alike(each, sa)]


def _is_older(other: "IkeSa", sa: "IkeSa") -> bool:
    """Its peer was authenticated before ``sa`` was begun."""
    return other.established_at < sa.created_at


def _is_alike(other: "IkeSa", sa: "IkeSa") -> bool:
    """It is for the same policy, too."""
    return other.peer.remote_id == sa.peer.remote_id


def close_older(sa: "IkeSa") -> None:
    """The peer has lost the IKE SAs that there were before ``sa`` was begun.

    Those that came up since may be younger than what it says: both sides can initiate at once.
    """
    for other in others(sa):
        if _is_older(other, sa):
            other.close("the peer says that it has no other IKE SA", wanted=False)


def _rank(sa: "IkeSa") -> tuple[bool, tuple[bytes, bytes]]:
    """Both sides know all of it; the IKE SA of the higher rank stays."""
    return not sa.peer.first_contact, sa.channel.spis


def settle(sa: "IkeSa") -> None:
    """Delete ``sa``, which has just come up, or the one that came up while it was on its way.

    What came up before is another matter: the peer knew of it, and may reauthenticate.
    """
    for other in others(sa):
        if _is_older(other, sa) or not _is_alike(other, sa):
            continue
        redundant, kept = sorted((sa, other), key=_rank)
        log.info("%s is redundant, %s came up at the same time", redundant.name, kept.name)
        redundant.leave_work_to(kept)
        redundant.queue.put(DeleteIkeSa("both sides have initiated, the other IKE SA is kept"))
        other.queue.start_next()  # and that of ``sa``, once the peer knows that it has come up
        return
