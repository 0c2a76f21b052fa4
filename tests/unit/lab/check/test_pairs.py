# SPDX-License-Identifier: GPL-2.0-or-later
"""Who must talk ESP with whom, out of SPDs."""

from __future__ import annotations

from lab.check.pairs import Place, pairs_of, selectors_of
from lab.xfrm.ip_output import Policy, State

PLACES = {
    "10.1.0.10": Place("alice", "left"),
    "10.1.0.1": Place("moon", "left"),
    "192.0.2.1": Place("moon", "wire"),
    "192.0.2.2": Place("sun", "wire"),
    "10.2.0.1": Place("sun", "right"),
    "10.2.0.10": Place("bob", "right"),
    "10.2.0.11": Place("carol", "right"),
}


def policy(
    src: str, dst: str, direction: str = "out", tunnel: tuple[str, str] | None = None
) -> Policy:
    mode = "tunnel" if tunnel else "transport"
    return Policy(src, dst, direction, "allow", 3843, "esp", 1, mode, tunnel)


def test_hosts_talk_for_themselves() -> None:
    there, back = policy("192.0.2.1/32", "192.0.2.2/32"), policy("192.0.2.2/32", "192.0.2.1/32")
    (pair,) = pairs_of({"moon": (there,), "sun": (back,)}, PLACES)
    assert (pair.source, pair.destination, pair.gateways) == ("moon", "sun", ("moon", "sun"))
    assert pair.links == {"wire"}


def test_gateways_let_those_behind_them_talk() -> None:
    ends, sites = ("192.0.2.1", "192.0.2.2"), ("10.1.0.0/16", "10.2.0.0/16")
    spds = {
        "moon": (policy(*sites, tunnel=ends), policy(*sites[::-1], "in", ends[::-1])),
        "sun": (policy(*sites[::-1], tunnel=ends[::-1]), policy(*sites, "in", ends)),
    }
    pairs = pairs_of(spds, PLACES)
    assert [(pair.source, pair.destination) for pair in pairs] == [
        ("alice", "bob"),
        ("alice", "carol"),
    ]
    assert {pair.links for pair in pairs} == {frozenset({"wire"})}
    assert {pair.gateways for pair in pairs} == {("moon", "sun")}


def test_a_gateway_alone_in_its_network_talks_itself() -> None:
    ends = ("192.0.2.1", "192.0.2.2")
    there = policy("10.1.0.0/16", "10.2.0.0/16", tunnel=ends)
    places = {address: place for address, place in PLACES.items() if place.node != "alice"}
    back = policy("10.2.0.0/16", "10.1.0.0/16", tunnel=ends[::-1])
    pairs = pairs_of({"moon": (there,), "sun": (back,)}, places)
    assert {pair.src for pair in pairs} == {"10.1.0.1"}


def test_who_is_behind_nat_begins() -> None:
    """sun knows alice by moon's address; moon has no policy."""
    inner = ("10.1.0.10/32", "10.2.0.0/16")
    spds = {
        "sun": (policy(*inner[::-1], tunnel=("192.0.2.2", "192.0.2.1")),),
        "moon": (),
        "alice": (policy(*inner, tunnel=("10.1.0.10", "192.0.2.2")),),
    }
    pairs = pairs_of(spds, PLACES)
    assert [(pair.source, pair.destination) for pair in pairs] == [
        ("alice", "bob"),
        ("alice", "carol"),
    ]
    assert {pair.links for pair in pairs} == {frozenset({"left", "wire"})}


def test_an_sa_may_carry_what_its_own_policy_says() -> None:
    ends = ("192.0.2.1", "192.0.2.2")
    own = policy("10.1.0.0/16", "10.2.0.0/16", tunnel=ends)
    others = policy("10.8.0.0/16", "10.9.0.0/16", tunnel=ends[::-1])
    state = State(*ends, "esp", 7, 1, "tunnel", None, None, None, 32, False, None, 0, 0, None)
    assert selectors_of(state, (own, others)) == (("10.1.0.0/16", "10.2.0.0/16"),)
