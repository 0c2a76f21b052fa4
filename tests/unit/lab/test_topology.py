# SPDX-License-Identifier: GPL-2.0-or-later
"""Topologies: what is shipped is valid, what is wrong is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.topology import TopologyError, load, parse, shipped

GOOD = """
title = "a pair"
[links.wire]
[nodes.alice]
addresses = { wire = "192.0.2.1/24" }
[nodes.bob]
addresses = { wire = "192.0.2.2/24" }
identity = "bob.example.org"
[[policies]]
between = ["alice", "bob"]
lifetime = { soft = 30, hard = 60 }
"""


@pytest.mark.parametrize("name", shipped())
def test_shipped_ones_are_valid(name: str) -> None:
    topology = load(name)
    assert topology.name == name
    assert topology.title


def test_reads_what_is_written() -> None:
    topology = parse("pair", GOOD)
    assert list(topology.nodes) == ["alice", "bob"]
    assert str(topology.node("alice").address) == "192.0.2.1"
    assert topology.node("alice").identity == "alice@tkm-lab.test"
    assert topology.node("bob").identity == "bob.example.org"
    ((policy, peer),) = topology.policies_of("bob")
    assert (policy.id, policy.mode, policy.soft, policy.hard) == (1, "transport", 30, 60)
    assert peer.name == "alice"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('title = "a pair"', "", "title is missing"),
        ('title = "a pair"', "title = 3", "title must be a text"),
        ("[links.wire]", "", "links is missing"),
        ("[links.wire]", "[links.wire]\nspeed = 1", "unknown key 'speed'"),
        ("[nodes.alice]", "[nodes.Alice]", "node 'Alice': a name has"),
        ('{ wire = "192.0.2.1/24" }', "{}", "it has no address"),
        ('wire = "192.0.2.1/24"', 'air = "192.0.2.1/24"', "no link 'air'; write [links.air]"),
        ("192.0.2.1/24", "192.0.2.1", "no prefix length, as in 192.0.2.1/24"),
        ("192.0.2.1/24", "192.0.2.300/24", "192.0.2.300"),
        ("192.0.2.1/24", "192.0.2.2/24", "192.0.2.2 on wire is alice's already"),
        ('["alice", "bob"]', '["alice", "carol"]', "no node 'carol'; write [nodes.carol]"),
        ('["alice", "bob"]', '["alice"]', "between needs the names of two nodes"),
        ('["alice", "bob"]', '["alice", "alice"]', "between needs the names of two nodes"),
        ("soft = 30", "soft = 90", "soft lifetime 90 s must be below hard 60 s"),
        ("soft = 30", "soft = -1", "soft lifetime -1 s"),
        ("soft = 30", 'soft = "30"', "soft must be a whole number"),
        ("lifetime =", 'mode = "carrier pigeon"\nlifetime =', "mode 'carrier pigeon' is unknown"),
        ("[links.wire]", "[links.wire", "line 3"),
    ],
)
def test_tells_what_is_wrong(old: str, new: str, told: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(TopologyError) as caught:
        parse("pair", GOOD.replace(old, new))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("nonsense")
    with pytest.raises(TopologyError, match=r"mine\.toml"):
        load(str(file))
    with pytest.raises(TopologyError, match="No such file"):
        load(str(tmp_path / "other.toml"))


def test_unknown_name_says_what_there_is() -> None:
    with pytest.raises(TopologyError, match=r"try .*two-hosts"):
        load("three-hosts")


def test_unknown_node() -> None:
    with pytest.raises(UsageError, match="no node 'carol' here, only alice, bob"):
        parse("pair", GOOD).node("carol")
