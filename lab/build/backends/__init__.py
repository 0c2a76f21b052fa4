# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE back ends: who does IKE on a node, with which daemons, out of which files.

=============== ===============================================================================
builtin         tkm_iked, beside a Trusted Key Manager
charon_tkm      strongSwan's charon-tkm, where it is installed, beside a Trusted Key Manager
strongswan      stock charon, which has its keys itself: the foreign peer
model           what a back end is
running         start, ready, stop, for all of them
=============== ===============================================================================

Whichever it is, it listens for VICI at `lab.client.node_socket.VICI`: `lab.client.vici` drives
them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lab.build.backends.builtin import BUILTIN
from lab.build.backends.charon_tkm import CHARON_TKM
from lab.build.backends.model import NONE, Backend, Daemon
from lab.build.backends.strongswan import STRONGSWAN
from lab.errors import UsageError
from lab.topology import Node, Topology

__all__ = ["BACKENDS", "Backend", "Daemon", "assign", "backend_of", "check"]

BACKENDS: Mapping[str, Backend] = {
    backend.name: backend for backend in (BUILTIN, CHARON_TKM, STRONGSWAN, NONE)
}


def backend_of(node: Node) -> Backend:
    """The back end of a node."""
    return BACKENDS[node.ike]


def check(topology: Topology) -> None:
    """Raises UsageError: a node cannot have the back end that it is to have, and what to do."""
    for policy in topology.policies:
        for end in policy.ends if policy.is_through_nat else ():
            node = topology.node(end.node)
            if not backend_of(node).does_nat_traversal:
                raise UsageError(
                    f"{node.name} cannot have IKE by {node.ike}: a NAT gateway lies between "
                    f"{' and '.join(policy.between)}, and {node.ike} does not put ESP into UDP; "
                    f"take --ike {node.name}=builtin"
                )
    for node in topology.nodes.values():
        if lack := backend_of(node).lack():
            raise UsageError(f"{node.name} cannot have IKE by {node.ike}: {lack}")


def assign(topology: Topology, choices: Iterable[str]) -> Topology:
    """The topology with other back ends, each choice as `NODE=BACKEND`.

    Raises UsageError: there is no such node or back end, or it has nothing to do there.
    """
    nodes = dict(topology.nodes)
    for choice in choices:
        name, _, backend = choice.partition("=")
        node = topology.node(name)
        if backend not in BACKENDS:
            known = ", ".join(BACKENDS)
            raise UsageError(f"--ike {choice}: there is no back end '{backend}'; write {known}")
        if not any(name in policy.between for policy in topology.policies):
            raise UsageError(f"--ike {choice}: no policy names {name}, it has no use for IKE")
        nodes[name] = replace(node, ike=backend)
    return replace(topology, nodes=nodes)
