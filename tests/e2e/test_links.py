# SPDX-License-Identifier: GPL-2.0-or-later
"""Links with properties, from the topology and at run time; hosts know each other by name."""

from __future__ import annotations

import re

import pytest

from lab.client.lab import Lab
from lab.topology import parse
from tests.e2e.command import Outcome, tkm_lab
from tests.e2e.conftest import Builder

SLOW = """
title = "a slow link with small frames"
[links.wire]
mtu = 1400
delay = 30
[nodes.alice]
addresses = { wire = "192.168.0.1/24" }
[nodes.bob]
addresses = { wire = "192.168.0.2/24" }
"""


@pytest.fixture
def slow(fresh: Builder) -> Lab:
    return fresh(parse("slow", SLOW))


def link(lab: Lab, *options: str) -> Outcome:
    return tkm_lab("link", "--lab", lab.name, *options)


def ping(lab: Lab) -> str:
    done = lab.call("alice", ["ping", "-c", "2", "-i", "0.2", "-W", "3", "bob"])
    return done.stdout.decode()


def test_a_link_is_as_bad_as_it_is_to_be(slow: Lab) -> None:
    assert "mtu 1400" in slow.call("alice", ["ip", "link", "show", "eth0"]).stdout.decode()
    found = re.search(r"bob \(192\.168\.0\.2\).*= ([\d.]+)/", ping(slow), re.S)
    assert found
    assert float(found[1]) >= 60, "30 ms there and 30 ms back"
    assert link(slow).out.splitlines() == [f"wire  {name}  delay 30ms" for name in ("alice", "bob")]

    assert link(slow, "wire", "--heal").out.splitlines()[0] == "wire  alice  whole"
    assert "2 received" in ping(slow)
    assert "bob  loss 100%" in link(slow, "wire", "--loss", "100%", "--towards", "bob").out
    assert " 0 received" in ping(slow)
    assert "bob  unplugged" in link(slow, "wire", "--heal").out + link(slow, "wire", "--down").out
    assert "NO-CARRIER" in slow.call("bob", ["ip", "link", "show", "eth0"]).stdout.decode()
    assert "bob  whole" in link(slow, "wire", "--up").out
    assert "2 received" in ping(slow)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--loss", "10%"), "which link? there is: wire"),
        (("wire", "--loss", "x"), "'x' is not a number of %, such as 10%"),
        (("wire", "--jitter", "5"), "reorder and jitter need a delay"),
        (("wire", "--down", "--towards", "carol"), "carol is not on wire"),
        (("lan",), "there is no link lan; there is: wire"),
        (("wire", "--heal", "--loss", "5"), "leave the other options out"),
    ],
)
def test_wrong_use_is_one_line(two_hosts: Lab, options: tuple[str, ...], fault: str) -> None:
    done = link(two_hosts, *options)
    assert done.code == 2
    assert fault in done.err
