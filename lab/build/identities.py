# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is who in a topology: its authorities, and the certificates of hosts that do IKE."""

from __future__ import annotations

from collections.abc import Iterator

from lab.pki import CA, Identity, KeyStock
from lab.topology import ROOT, Node, Topology


def keys_needed(topology: Topology) -> int:
    """How many keys `issue` takes."""
    return 1 + len(topology.authorities) + len(list(_hosts(topology)))


def issue(topology: Topology, stock: KeyStock) -> tuple[CA, dict[str, Identity]]:
    """The root that everybody trusts, and the identities of the hosts, by name."""
    authorities = {ROOT: CA("tkm-lab root", key=stock.take())}
    for name, issuer in topology.authorities.items():
        key, title = stock.take(), f"tkm-lab {name}"
        is_own = issuer == name
        authorities[name] = (
            CA(title, key=key) if is_own else authorities[issuer].create_child_ca(title, key=key)
        )
    return authorities[ROOT], {
        node.name: authorities[node.ca].issue_cert(node.identity, key=stock.take())
        for node in _hosts(topology)
    }


def _hosts(topology: Topology) -> Iterator[Node]:
    return (node for node in topology.nodes.values() if node.ike != "none")
