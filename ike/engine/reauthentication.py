# SPDX-License-Identifier: GPL-2.0-or-later
"""Reauthentication: set up another IKE SA, then delete the old one (RFC 7296, 2.8.3).

Make before break: the old IKE SA and its Child SA carry the traffic until those of the new one are
installed (:func:`ike.engine.uniqueness.replace_older`). If they are not set up, everything stays as
it is until the lifetime of the old one is over. To the peer it is a second IKE SA, and then the end
of the first.
"""

import logging

from ike.config.model import ChildConfig, Connection
from ike.engine.ike_sa import IkeSa
from ike.engine.registry import Registry
from ike.engine.states import State
from ike.errors import UnknownName

log = logging.getLogger("ike")


def check(registry: Registry[IkeSa], old: IkeSa) -> None:
    """Check that an IKE SA is not being reauthenticated already.

    Raises:
        UnknownName: It is.
    """
    for sa in registry.values():
        if sa.state is not State.GONE and sa.reauthenticates(old):
            raise UnknownName(f"IKE_SA {old.name} is being reauthenticated already")
    log.info("reauthenticating IKE_SA %s", old.name)


def subject(old: IkeSa) -> tuple[Connection, ChildConfig]:
    """Return what to set up in the place of an IKE SA: as configured now, or when it was set up.

    Raises:
        UnknownName: No Child SA is possible.
    """
    found = old.context.configuration.child(old.peer.remote_id)
    if found:
        return found
    for child in old.peer.possible_children():
        return old.connection, child
    raise UnknownName(f"IKE_SA {old.name} has no child to set up again")
