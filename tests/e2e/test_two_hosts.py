# SPDX-License-Identifier: GPL-2.0-or-later
"""alice and bob talk ESP, and the wire proves it."""

from __future__ import annotations

import re

from lab.check.checker import check, protected_pairs
from lab.client.lab import Lab
from tests.e2e.conftest import Builder


def _esp(lab: Lab, node: str) -> set[tuple[str, str, int, bytes, bytes]]:
    """The ESP states of a node, with everything that both ends must agree on."""
    found = set()
    for state in lab.states(node).states:
        if state.spi and state.encryption and state.integrity:
            keys = state.encryption.key, state.integrity.key
            found.add((state.src, state.dst, state.spi, *keys))
    return found


def test_first_packet_brings_the_sas_up(fresh: Builder) -> None:
    lab = fresh()
    assert not _esp(lab, "alice")
    result = lab.call("alice", ["ping", "-c", "1", "-i", "0.05", "-w", "10", "192.168.0.2"])
    assert result.code == 0, result.stdout
    assert len(_esp(lab, "alice")) == 2
    assert _esp(lab, "alice") == _esp(lab, "bob")
    proxy = "\n".join(line.text for line in lab.logs("alice", "xfrm_proxy"))
    assert "Initiating ESA acquire for reqid 1" in proxy


def test_wire_proves_esp(two_hosts: Lab) -> None:
    (proof,) = check(two_hosts)
    assert proof.verdict.ok, [str(failure) for failure in proof.verdict.failures]
    assert len(proof.verdict.deliveries) == 6
    assert {packet.sender for packet in proof.verdict.esp} == {"alice", "bob"}


def test_policies_name_the_pair(two_hosts: Lab) -> None:
    (pair,) = protected_pairs(two_hosts)
    assert {pair.src, pair.dst} == {"192.168.0.1", "192.168.0.2"}


def test_kernel_shows_what_the_policy_says(two_hosts: Lab) -> None:
    check(two_hosts)
    shown = two_hosts.call("alice", ["ip", "xfrm", "policy"]).stdout.decode()
    assert re.search(r"src 192.168.0.1/32 dst 192.168.0.2/32 \n\tdir out priority 3843", shown)
    (outbound,) = [s for s in two_hosts.states("alice").states if s.src == "192.168.0.1" and s.spi]
    assert outbound.mode == "transport"
    assert outbound.reqid == 1
    assert outbound.replay_window >= 32
