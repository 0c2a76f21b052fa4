# SPDX-License-Identifier: GPL-2.0-or-later
"""Topologies: what is shipped is valid, and what is read is what was written."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from lab.topology import load, parse, shipped

PAIR = """
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

SITES = """
title = "two sites"
[links.left]
[links.wire]
[links.right]
[authorities.research]
[authorities.branch]
issuer = "research"
[nodes.alice]
addresses = { left = "10.1.0.10/16" }
routes = { default = "10.1.0.1" }
[nodes.moon]
addresses = { wire = ["192.0.2.1/24", "fd00::1/64"], left = "10.1.0.1/16" }
routes = { "10.2.0.0/16" = "192.0.2.2" }
forward = true
ca = "branch"
[nodes.sun]
addresses = { wire = ["192.0.2.2/24", "fd00::2/64"], right = "10.2.0.1/16" }
routes = { "10.1.0.0/16" = "192.0.2.1" }
forward = true
ike = "strongswan"
[[policies]]
between = ["moon", "sun"]
mode = "tunnel"
networks = { moon = "10.1.0.0/16", sun = "10.2.0.0/16" }
ike = "aes256-sha512-modp4096"
"""

NAT = """
title = "behind a NAT gateway"
[links.home]
[links.wire]
[nodes.moon]
addresses = { wire = "192.0.2.1/24", home = "10.1.0.1/16" }
forward = true
nat = "wire"
[nodes.sun]
addresses = { wire = "192.0.2.2/24" }
routes = { "10.1.0.0/16" = "192.0.2.1" }
[nodes.alice]
addresses = { home = "10.1.0.10/16" }
routes = { default = "10.1.0.1" }
[[policies]]
between = ["sun", "alice"]
mode = "tunnel"
"""


@pytest.mark.parametrize("name", shipped())
def test_shipped_ones_are_valid(name: str) -> None:
    topology = load(name)
    assert topology.name == name
    assert topology.title


def test_reads_what_is_written() -> None:
    topology = parse("pair", PAIR)
    alice, bob = topology.nodes.values()
    assert (alice.name, str(alice.address), alice.identity) == (
        "alice",
        "192.0.2.1",
        "alice@tkm-lab.test",
    )
    assert (bob.identity, bob.ike, bob.forward, bob.nat, bob.ca) == (
        "bob.example.org",
        "builtin",
        False,
        "",
        "root",
    )
    ((policy, peer),) = topology.policies_of("bob")
    assert (policy.id, policy.mode, policy.soft, policy.hard) == (1, "transport", 30, 60)
    assert peer is alice
    own, other = policy.seen_from("bob")
    assert (str(own.address), str(other.address), other.network) == (
        "192.0.2.2",
        "192.0.2.1",
        None,
    )
    assert not topology.red_links


def test_gateways_and_what_they_protect() -> None:
    topology = parse("sites", SITES)
    moon, sun = topology.node("moon"), topology.node("sun")
    assert topology.node("alice").ike == "none"
    assert (moon.ike, sun.ike) == ("builtin", "strongswan")
    assert moon.routes == {ip_network("10.2.0.0/16"): ip_address("192.0.2.2")}
    (policy,) = topology.policies
    assert [str(end.network) for end in policy.ends] == ["10.1.0.0/16", "10.2.0.0/16"]
    assert (policy.soft, policy.hard, policy.ike) == (6900, 7200, "aes256-sha512-modp4096")
    assert topology.red_links == {"left", "right"}
    assert topology.networks_of("wire") == {ip_network("192.0.2.0/24"), ip_network("fd00::/64")}
    assert dict(topology.authorities) == {"research": "root", "branch": "research"}


def test_addresses_may_be_chosen() -> None:
    chosen = 'ike = "aes256-sha512-modp4096"\naddresses = { sun = "fd00::2" }'
    text = SITES.replace('ike = "aes256-sha512-modp4096"', chosen)
    moon, sun = parse("sites", text).policies[0].ends
    assert (str(moon.address), str(sun.address)) == ("fd00::1", "fd00::2")


def test_behind_a_nat_gateway_others_know_another_address() -> None:
    sun, alice = parse("nat", NAT).policies[0].ends
    assert (str(sun.address), str(sun.seen), sun.network) == ("192.0.2.2", "192.0.2.2", None)
    assert (str(alice.address), str(alice.seen)) == ("10.1.0.10", "192.0.2.1")
    assert alice.network == ip_network("10.1.0.10/32")


@pytest.mark.parametrize(
    ("name", "talkers"),
    [
        ("two-hosts", ("alice", "bob")),
        ("net-to-net", ("alice", "bob")),
        ("multiple-clients", ("carol", "sun")),
        ("star", ("client1", "hub")),
    ],
)
def test_who_talks_to_begin_with(name: str, talkers: tuple[str, str]) -> None:
    assert load(name).talkers() == talkers


def test_who_is_behind_nat_begins_to_talk() -> None:
    assert parse("nat", NAT).talkers() == ("alice", "sun")


def test_nobody_talks_without_a_policy() -> None:
    assert parse("pair", PAIR[: PAIR.index("[[policies]]")]).talkers() == ()
