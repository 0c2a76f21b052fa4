# SPDX-License-Identifier: GPL-2.0-or-later
"""Another configuration, and what becomes of the IKE SAs that are there.

Those that the change does not touch go on, with the new times and certificates. The others could
not come up again as they are, so they end.
"""

from ike.config.model import ChildConfig, Configuration, Connection
from ike.engine.context import EngineContext
from ike.engine.ike_sa import IkeSa
from ike.engine.informational import delete_ike_sa
from ike.engine.registry import Registry
from ike.engine.states import State

RECONFIGURED = "it is configured otherwise now"


def reconfigure(
    context: EngineContext, registry: Registry[IkeSa], configuration: Configuration
) -> list[IkeSa]:
    """Use another configuration from now on.

    Returns:
        The IKE SAs that are not possible any more; their peers are told.
    """
    context.configure(configuration)
    gone = []
    for sa in list(registry.values()):
        old = sa.peer.connection
        if sa.state is State.GONE or old is None or not sa.peer.remote_id:
            continue
        found = configuration.child(sa.peer.remote_id)
        before = [(old, child) for child in old.children if child.reqid == sa.peer.remote_id]
        if found and [_essence(*found)] == [_essence(*each) for each in before]:
            sa.touch()
            sa.peer.identify(found[0])
        else:
            delete_ike_sa(sa, RECONFIGURED, for_good=True)
            gone.append(sa)
    return gone


def _essence(connection: Connection, child: ChildConfig) -> tuple[object, ...]:
    """What both sides have agreed on: the peer, the traffic and the algorithms."""
    return (
        *(connection.local_addrs, connection.remote_addrs, *connection.identities),
        *(connection.proposals, child.proposals, child.mode, child.local_ts, child.remote_ts),
    )
