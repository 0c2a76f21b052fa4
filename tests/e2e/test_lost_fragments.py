# SPDX-License-Identifier: GPL-2.0-or-later
"""A host whose interface loses fragments of ESP: `check` counts what is left of the packets."""

from __future__ import annotations

from lab.check import checker
from lab.client.lab import Lab
from tests.e2e.command import tkm_lab
from tests.e2e.conftest import Builder

KIND = "ESP with a piece lost"
SMALL = ("-c", "1", "-w", "20")
LARGE = ("-c", "30", "-i", "0.01", "-W", "1", "-s", "3000")
"""Each request is three fragments of ESP. With every fifth fragment lost at random, not one of
thirty would be there in part once in 300 million times."""


def ping(lab: Lab, *options: str) -> int:
    return lab.call("alice", ["ping", "-q", "-n", *options, "192.168.0.2"]).code


def queue(lab: Lab, *words: str) -> None:
    """Change how alice's own interface sends: what it loses is never on the wire."""
    done = lab.call("alice", ["tc", "qdisc", *words])
    assert done.code == 0, done.stderr


def test_lost_fragments_of_esp_are_counted(fresh: Builder) -> None:
    lab = fresh()
    assert ping(lab, *SMALL) == 0, "the SAs are up"
    queue(lab, "add", "dev", "eth0", "root", "netem", "loss", "20%")
    ping(lab, *LARGE)
    queue(lab, "del", "dev", "eth0", "root")
    for _ in range(2):  # what is lost stays in the capture
        (proof,) = checker.check(lab)
        assert proof.verdict.failures == ()
        assert proof.verdict.other[KIND] > 0
    shown = tkm_lab("check", "--lab", lab.name)
    assert shown.code == 0
    assert f"{proof.verdict.other[KIND]} {KIND}" in " ".join(shown.out.split())
