# SPDX-License-Identifier: GPL-2.0-or-later
"""What there is, as data: for logs, tests and VICI."""

from typing import Any

from ike.engine.child_sa import ChildSa
from ike.engine.ike_sa import IkeSa
from ike.engine.registry import Registry
from ike.engine.states import State


def status(registry: Registry[IkeSa]) -> list[dict[str, Any]]:
    """The IKE SAs that are alive, each with its Child SAs."""
    return [_ike_sa(sa) for sa in registry.values() if sa.state is not State.GONE]


def _ike_sa(sa: IkeSa) -> dict[str, Any]:
    connection = sa.peer.connection
    initiator_spi, responder_spi = sa.channel.spis
    return {
        "id": sa.id,
        "connection": connection.name if connection else "",
        "state": sa.state.name,
        "local": str(sa.channel.local),
        "remote": str(sa.channel.remote),
        "local_id": str(connection.local_id) if connection else "",
        "remote_id": str(connection.remote_id) if connection else "",
        "initiator": sa.channel.initiator,
        "initiator_spi": initiator_spi.hex(),
        "responder_spi": responder_spi.hex(),
        "established_at": sa.established_at,
        "children": [_child_sa(child) for child in sa.peer.children.values()],
    }


def _child_sa(child: ChildSa) -> dict[str, Any]:
    return {
        "id": child.id,
        "name": child.config.name,
        "reqid": child.config.reqid,
        "state": child.state.name,
        "mode": child.config.mode.name,
        "spi_in": child.spi_local.hex(),
        "spi_out": child.spi_remote.hex(),
        "installed_at": child.installed_at,
    }
