# SPDX-License-Identifier: GPL-2.0-or-later
"""Whoever cannot prove who they are gets no SA, everybody is told why, and the TKM serves on."""

from __future__ import annotations

import datetime as dt
import time

from lab.build.builder import Files
from lab.build.files import files_of
from lab.client.lab import Lab
from lab.pki import CA, KeyStock
from lab.topology import Topology, parse
from tests.e2e.conftest import Builder

TOPOLOGY = """
title = "alice has two bad friends"
[links.wire]
[nodes.alice]
addresses = { wire = "192.168.0.1/24" }
[nodes.bob]
addresses = { wire = "192.168.0.2/24" }
[nodes.carol]
addresses = { wire = "192.168.0.3/24" }
[[policies]]
between = ["alice", "bob"]
lifetime = { soft = 6900, hard = 7200 }
[[policies]]
between = ["alice", "carol"]
lifetime = { soft = 6900, hard = 7200 }
"""
LONG_AGO = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
YESTERDAY = LONG_AGO + dt.timedelta(days=1)
REASONS = {
    "bob": ("tkm_iked", "no CA that the TKM knows has issued the peer's certificate"),
    "carol": ("tkm_keymanager", "it has expired on"),
}
"""Who refuses them on alice, and why."""


def identities(topology: Topology, stock: KeyStock) -> Files:
    """Bob is of another CA, carol has expired."""
    root, other = CA("the root", key=stock.take()), CA("another")
    keys = [stock.take() for _ in topology.nodes]
    names = {node.name: node.identity for node in topology.nodes.values()}
    issued = {
        "alice": root.issue_cert(names["alice"], key=keys[0]),
        "bob": other.issue_cert(names["bob"], key=keys[1]),
        "carol": root.issue_cert(
            names["carol"], key=keys[2], not_before=LONG_AGO, not_after=YESTERDAY
        ),
    }
    return {
        name: files_of(topology, node, root, issued[name]) for name, node in topology.nodes.items()
    }


def no_states(lab: Lab) -> bool:
    return not any(lab.states(node).states for node in ("alice", "bob", "carol"))


def said(lab: Lab, node: str, daemon: str, what: str) -> int:
    return sum(what in line.text for line in lab.logs(node, daemon))


def test_who_cannot_be_trusted_gets_no_sa(fresh: Builder) -> None:
    lab = fresh(parse("bad-friends", TOPOLOGY), identities=identities)
    for address, friend in (("192.168.0.2", "bob"), ("192.168.0.3", "carol")):
        daemon, reason = REASONS[friend]
        for source, destination in (("alice", address), (friend, "192.168.0.1")):
            before = said(lab, "alice", daemon, reason)
            command = ["ping", "-c", "1", "-i", "0.1", "-w", "1", destination]
            assert lab.call(source, command).code == 1
            deadline = time.monotonic() + 10
            while said(lab, "alice", daemon, reason) == before or not no_states(lab):
                assert time.monotonic() < deadline, [line.text for line in lab.logs(source)]
        lab.wait_for_line(friend, "tkm_iked", "AUTHENTICATION_FAILED")
    codes = [daemon.code for node in lab.status().nodes for daemon in node.daemons]
    assert codes == [None] * 9
