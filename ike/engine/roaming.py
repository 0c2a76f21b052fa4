# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer behind a NAT gets another address or port, because the NAT has forgotten its mapping.

Only authentic, new messages show where the peer is (RFC 7296, 2.23). Its IKE SAs follow at once.
Child SAs are rekeyed: the TKM has no operation that changes the addresses of an installed one. An
address has to be one that the connection names, since the TKM's policies name theirs.
"""

import logging

from ike.address import Path
from ike.engine.ike_sa import IkeSa
from ike.engine.rekey_child_sa import RekeyChildSa
from ike.engine.states import State

log = logging.getLogger("ike")


def follow(sa: IkeSa, path: Path) -> None:
    """Send to where a new message of the peer has come from, if the peer may move."""
    route = sa.route
    if path == route.path or not _may_follow(sa, path):
        return
    log.info("%s: peer moved from %s to %s", sa.name, route.path.remote, path.remote)
    route.move(path)
    active = sa if sa.state is State.ESTABLISHED else sa.survivor()
    if active is None:
        return
    for child in sa.peer.children.values():
        if child.agreement.esp_options.encap != route.encap:
            active.enqueue(RekeyChildSa(child))


def _may_follow(sa: IkeSa, path: Path) -> bool:
    """Until it is authenticated an initiator may always move: it does so to port 4500."""
    if sa.state is State.HALF_OPEN:
        return True
    hosts = path.local.host, path.remote.host
    return sa.route.may_move() and any(each.is_between(*hosts) for each in sa.candidates())
