# SPDX-License-Identifier: GPL-2.0-or-later
"""Reauthentication: another IKE SA from scratch, then the old one is deleted (RFC 7296, 2.8.3).

Make before break: the old one and its Child SA carry the traffic until those of the new one are
installed. If these do not come up all stays as it is, until the old one's lifetime is over.
To the peer it is one more IKE SA, and then the end of the other.
"""

import logging
from typing import TYPE_CHECKING

from ike.engine import uniqueness
from ike.engine.lifetime import PATIENCE
from ike.engine.states import State
from ike.errors import UnknownName

if TYPE_CHECKING:
    from ike.config.model import ChildConfig, Connection
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


class Reauthentication:
    """What a new IKE SA owes to an old one.

    :raises UnknownName: this is under way already.
    """

    def __init__(self, old: "IkeSa") -> None:
        if any(sa.reauthentication and sa.reauthentication.old is old for sa in _all(old)):
            raise UnknownName(f"IKE_SA {old.name} is being reauthenticated already")
        log.info("reauthenticating IKE_SA %s", old.name)
        self._first = old

    @property
    def old(self) -> "IkeSa":
        """The old one, or what has taken its place meanwhile."""
        old = self._first
        while old.successor:
            old = old.successor
        return old

    def succeeded(self, new: "IkeSa") -> None:
        """The new one carries the traffic: it takes the place of all that were there before."""
        for older in uniqueness.older(new):
            older.leave_work_to(new)
            older.delete("it was reauthenticated", for_good=True)
        new.reauthentication = None

    def failed(self, reason: str) -> None:
        """There will be no new one; a configured ``reauth_time`` asks for another try."""
        old = self.old
        log.info("reauthenticating IKE_SA %s failed: %s", old.name, reason)
        if old.state is State.ESTABLISHED and old.connection.reauth_time:
            old.context.touch(old)
            old.lifetime.reauthenticate_at = old.context.now + PATIENCE


def subject(old: "IkeSa") -> "tuple[Connection, ChildConfig]":
    """What to set up in the place of an IKE SA: as it is configured now, or was when it began.

    :raises UnknownName: no Child SA can come of it.
    """
    found = old.context.configuration.child(old.peer.remote_id)
    if found:
        return found
    for child in old.peer.possible_children():
        return old.connection, child
    raise UnknownName(f"IKE_SA {old.name} has no child to set up anew")


def _all(sa: "IkeSa") -> "list[IkeSa]":
    return [each for each in sa.context.sas.values() if each.state is not State.GONE]
