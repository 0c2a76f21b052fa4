# SPDX-License-Identifier: GPL-2.0-or-later
"""One IKE SA with each peer (RFC 7296, 2.4): what a new one means for those that exist.

A peer that has lost its IKE SAs sends INITIAL_CONTACT, and the other side closes what is left of
them. If both sides initiate at once there are two. Both sides then delete the same one: that whose
initiator knew of no other IKE SA, because the peer, which did, may be about to reauthenticate it;
if that does not decide, the one with the lower SPIs.
"""

import logging

from ike.engine.exchange import SetupContext
from ike.engine.informational import DeleteIkeSa, delete_ike_sa

log = logging.getLogger("ike")


def replace_older(sa: SetupContext) -> None:
    """Let an IKE SA take the place of those for the same policy that are older (reauthentication).

    They carry the traffic until the Child SA of the new one is installed.
    """
    for other in sa.others():
        if _is_older(other, sa) and _is_alike(other, sa):
            other.leave_work_to(sa)
            delete_ike_sa(other, "it was reauthenticated", for_good=True)
    sa.reauthentication_done()


def close_older(sa: SetupContext) -> None:
    """Close the IKE SAs that the peer has lost, because it has sent INITIAL_CONTACT.

    Those that were set up since may be younger than that message: both sides can initiate at once.
    Those of the other address family are not meant (:meth:`SetupContext.others`).
    """
    for other in sa.others():
        if _is_older(other, sa):
            other.close("the peer says that it has no other IKE SA", wanted=False)


def settle(sa: SetupContext) -> None:
    """Delete one of two IKE SAs that were set up at the same time.

    One that was set up before is another matter: the peer knew of it, and may reauthenticate it.
    """
    for other in sa.others():
        if _is_older(other, sa) or not _is_alike(other, sa):
            continue
        redundant, kept = sorted((sa, other), key=_rank)
        log.info("%s is redundant, %s came up at the same time", redundant.name, kept.name)
        redundant.leave_work_to(kept)
        reason = "both sides have initiated, the other IKE SA is kept"
        redundant.enqueue(DeleteIkeSa(reason))
        return


def _is_older(other: SetupContext, sa: SetupContext) -> bool:
    """Whether its peer was authenticated before ``sa`` was initiated."""
    return other.established_at < sa.created_at


def _is_alike(other: SetupContext, sa: SetupContext) -> bool:
    """Whether it is for the same policy."""
    return other.peer.remote_id == sa.peer.remote_id


def _rank(sa: SetupContext) -> tuple[bool, tuple[bytes, bytes]]:
    """Order two IKE SAs by what both sides know; the higher one is kept."""
    return not sa.peer.first_contact, sa.spis
