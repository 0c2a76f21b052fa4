# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer behind a NAT turns up elsewhere: the NAT has forgotten it, and given it another port.

Only what is authenticated and new tells where the peer is (RFC 7296, 2.23). Its IKE SAs follow at
once. Child SAs are rekeyed: the TKM has no operation that moves the states of one, and the new ones
go to the right port. An address has to be one that the connection names, for the TKM's policies
name theirs.
"""

import logging
from typing import TYPE_CHECKING

from ike.address import Path
from ike.engine.rekey_child_sa import RekeyChildSa
from ike.engine.states import State

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


def follow(sa: "IkeSa", path: Path) -> None:
    """A new message that is the peer's has come along ``path``."""
    route = sa.channel.route
    if path == route.path or not _may_follow(sa, path):
        return
    log.info("%s: peer moved from %s to %s", sa.name, route.path.remote, path.remote)
    route.path = path
    heir = sa if sa.state is State.ESTABLISHED else sa.peer.heir(sa)
    if heir is None:
        return
    for child in sa.peer.children.values():
        if child.agreement.esp_options.encap != route.encap:
            heir.queue.put(RekeyChildSa(child))
    if heir is not sa:
        heir.queue.start_next()


def _may_follow(sa: "IkeSa", path: Path) -> bool:
    """As long as nobody is authenticated, that is how the initiator goes over to port 4500."""
    if sa.state is State.HALF_OPEN:
        return True
    there = any(each.is_between(path.local.host, path.remote.host) for each in sa.candidates())
    return there and sa.channel.route.may_move()
