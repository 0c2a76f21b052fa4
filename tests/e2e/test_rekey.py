# SPDX-License-Identifier: GPL-2.0-or-later
"""Rekeying in real kernels, by either side and by the kernel; the wire stays proven throughout."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.check.checker import check
from lab.client import vici
from lab.client.lab import Lab
from lab.topology import load, shipped
from tests.e2e.conftest import Builder
from tests.e2e.interop import wait_until


def ike_sas(lab: Lab, node: str) -> set[tuple[int, int]]:
    """The SPIs of a daemon's IKE SAs."""
    return {sa.spis for sa in vici.sas(lab, node)}


def spis(lab: Lab, node: str) -> set[int]:
    """The SPIs in a kernel."""
    return {state.spi for state in lab.states(node).states if state.spi}


@pytest.mark.parametrize("side", ["alice", "bob"])
def test_child_sa(two_hosts: Lab, side: str) -> None:
    check(two_hosts)
    before = spis(two_hosts, "alice")
    vici.rekey(two_hosts, side, child="conn1")

    def is_replaced() -> bool:
        now = spis(two_hosts, "alice")
        return now == spis(two_hosts, "bob") and len(now) == 2 and not now & before

    wait_until(is_replaced, "both kernels have the same two new states")
    (proof,) = check(two_hosts)
    assert proof.verdict.ok, [str(failure) for failure in proof.verdict.failures]


@pytest.mark.parametrize("side", ["alice", "bob"])
def test_ike_sa(two_hosts: Lab, side: str) -> None:
    check(two_hosts)
    before = {node: ike_sas(two_hosts, node) for node in ("alice", "bob")}
    states = spis(two_hosts, "alice")
    vici.rekey(two_hosts, side, ike="conn1")
    for node, old in before.items():
        wait_until(
            lambda node=node, old=old: len(now := ike_sas(two_hosts, node)) == 1 and now != old,  # type: ignore[misc]
            "a new IKE SA",
        )
    assert spis(two_hosts, "alice") == spis(two_hosts, "bob") == states
    (proof,) = check(two_hosts)
    assert proof.verdict.ok, [str(failure) for failure in proof.verdict.failures]


def test_by_the_kernel_when_a_child_sa_gets_old(fresh: Builder, tmp_path: Path) -> None:
    text = shipped()["two-hosts"].read_text()
    assert "soft = 6900, hard = 7200" in text
    file = tmp_path / "short.toml"
    file.write_text(text.replace("soft = 6900, hard = 7200", "soft = 3, hard = 60"))
    lab = fresh(load(str(file)))
    check(lab)
    before = spis(lab, "alice")
    wait_until(lambda: not spis(lab, "alice") & before, "the states are replaced")
    # Either side's states may be the older ones.
    logged = [line.text for node in ("alice", "bob") for line in lab.logs(node, "xfrm_proxy")]
    assert any("Initiating ESA expire (reqid 1, proto 50" in line for line in logged)
    (proof,) = check(lab)
    assert proof.verdict.ok, [str(failure) for failure in proof.verdict.failures]
