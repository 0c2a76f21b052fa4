# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_iked and stock strongSwan get along, whoever begins; after each step the wire proves it.

alice has a Trusted Key Manager. bob and carol are strongSwan's: with bob she has transport mode and
a key exchange for each rekeyed Child SA (PFS), with carol tunnel mode and none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.build import builder
from lab.build.backends import assign, backend_of, running
from lab.client import vici
from lab.client.lab import Lab
from lab.errors import LabError
from lab.topology import Topology, parse
from tests.e2e.conftest import Builder
from tests.e2e.interop import Pair, wait_until

TOPOLOGY = """
title = "a TKM host and two of strongSwan's"
[links.wire]
[nodes.alice]
addresses = { wire = "192.168.0.2/24" }
[nodes.bob]
addresses = { wire = "192.168.0.1/24" }
ike = "strongswan"
[nodes.carol]
addresses = { wire = "192.168.0.3/24" }
ike = "strongswan"
[[policies]]
between = ["alice", "bob"]
mode = "transport"
[[policies]]
between = ["alice", "carol"]
mode = "tunnel"
esp = "aes256-sha512"
"""
ADDRESSES = {"alice": "192.168.0.2", "bob": "192.168.0.1", "carol": "192.168.0.3"}
CONNECTIONS = {"bob": "conn1", "carol": "conn2"}
MODES = {"bob": "TRANSPORT", "carol": "TUNNEL"}

pairs = pytest.mark.parametrize("peer", CONNECTIONS)
sides = pytest.mark.parametrize("side", ["first", "second"])


@pytest.fixture(scope="module")
def topology() -> Topology:
    return parse("interop", TOPOLOGY)


@pytest.fixture(scope="module")
def lab(worker_id: str, topology: Topology) -> Iterator[Lab]:
    with builder.up(topology, f"interop-{worker_id}") as lab:
        yield lab


def pair_of(lab: Lab, peer: str) -> Pair:
    """alice and a peer."""
    return Pair(lab, CONNECTIONS[peer], ("alice", peer))


@pairs
@sides
def test_set_up_anew(lab: Lab, peer: str, side: str) -> None:
    pair = pair_of(lab, peer)
    pair.establish()
    vici.terminate(lab, pair.side(side), ike=pair.name)
    for node in pair.nodes:
        wait_until(lambda node=node: not pair.sas(node), "the IKE SA is deleted")  # type: ignore[misc]
    vici.initiate(lab, pair.side(side), pair.name)
    pair.prove()
    (sa,) = pair.sas(pair.side(side))
    assert sa.fields.get("initiator") == "yes"
    assert {child.fields["mode"] for child in sa.children} == {MODES[peer]}


def test_strongswan_repeats_a_request_without_an_answer_soon(lab: Lab) -> None:
    pair = pair_of(lab, "bob")
    pair.establish()
    vici.terminate(lab, "bob", ike=pair.name)
    for node in pair.nodes:
        wait_until(lambda node=node: not pair.sas(node), "the IKE SA is deleted")  # type: ignore[misc]

    def repeats() -> int:
        return sum("retransmit 3 of request" in line.text for line in lab.logs("bob", "charon"))

    before = repeats()
    lab.disturb("wire", ["alice"], cut=True)
    try:
        lab.call("bob", ["ping", "-q", "-c", "1", "-W", "1", ADDRESSES["alice"]])
        wait_until(lambda: repeats() > before, "a third one, after 24 s by default")
    finally:
        lab.disturb("wire", ["alice"], cut=False)
    wait_until(pair.child_spis, "one Child SA")
    pair.prove()


@pairs
@sides
def test_child_sa_rekeyed(lab: Lab, peer: str, side: str) -> None:
    pair = pair_of(lab, peer)
    pair.establish()
    before = pair.child_spis() or set()
    vici.rekey(lab, pair.side(side), child=pair.name)
    wait_until(lambda: (pair.child_spis() or before) != before, "another Child SA")
    pair.prove()
    for node in pair.nodes:
        (child,) = pair.children(node)
        assert child.fields.get("dh-group") == ("MODP_4096" if peer == "bob" else None)


@sides
def test_ike_sa_rekeyed(lab: Lab, side: str) -> None:
    pair = pair_of(lab, "bob")
    pair.establish()
    before, children = pair.ike_spis(), pair.child_spis()
    vici.rekey(lab, pair.side(side), ike=pair.name)
    wait_until(lambda: (pair.ike_spis() or before) != before, "another IKE SA")
    assert pair.child_spis() == children
    vici.rekey(lab, pair.side(side), child=pair.name)
    wait_until(lambda: (pair.child_spis() or children) != children, "another Child SA")
    pair.prove()


@pytest.mark.parametrize("what", ["child", "ike"])
def test_both_rekey_at_once(lab: Lab, what: str) -> None:
    pair = pair_of(lab, "bob")
    pair.establish()
    spis = {"child": pair.child_spis, "ike": pair.ike_spis}[what]
    before = spis()
    for node in pair.nodes:
        vici.rekey(lab, node, **{what: pair.name})
    wait_until(lambda: (spis() or before) != before, f"one new SA: {what}")
    pair.prove()


@sides
def test_reauthenticated(lab: Lab, side: str) -> None:
    """tkm_iked makes the new IKE SA before it breaks the old one, charon the other way round."""
    pair = pair_of(lab, "bob")
    pair.establish()
    before, children = pair.ike_spis(), pair.child_spis()
    vici.reauthenticate(lab, pair.side(side), pair.name)
    wait_until(lambda: (pair.ike_spis() or before) != before, "another IKE SA")
    wait_until(lambda: (pair.child_spis() or children) != children, "another Child SA")
    pair.prove()


@sides
def test_child_sa_deleted(lab: Lab, side: str) -> None:
    pair = pair_of(lab, "bob")
    pair.establish()
    before = pair.ike_spis()
    vici.terminate(lab, pair.side(side), child=pair.name)
    for node in pair.nodes:
        wait_until(lambda node=node: not pair.children(node), "no Child SA")  # type: ignore[misc]
    pair.prove()  # what is sent brings up another, in the same IKE SA
    assert pair.ike_spis() == before


def test_messages_were_fragmented(lab: Lab) -> None:
    pair_of(lab, "bob").establish()
    for node, daemon in (("alice", "tkm_iked"), ("bob", "charon")):
        told = [line.text for line in lab.logs(node, daemon)]
        assert any("splitting IKE message" in line for line in told)
        assert any("reassembled fragmented IKE message" in line for line in told)


@pairs
def test_nothing_old_stays(lab: Lab, peer: str) -> None:
    pair = pair_of(lab, peer)
    pair.establish()
    addresses = {ADDRESSES[node] for node in pair.nodes}
    for node in pair.nodes:

        def spis(node: str = node) -> set[int]:
            return {s.spi for s in lab.states(node).states if {s.src, s.dst} == addresses}

        wait_until(lambda spis=spis: spis() == pair.child_spis(), "only what is in use")  # type: ignore[misc]


@pytest.mark.parametrize(("peer", "side"), [("bob", "first"), ("carol", "second")])
def test_restarted(lab: Lab, topology: Topology, peer: str, side: str) -> None:
    """Who comes back has forgotten everything, and says so: INITIAL_CONTACT."""
    pair = pair_of(lab, peer)
    pair.establish()
    before = pair.ike_spis()
    node = pair.side(side)
    backend = backend_of(topology.node(node))
    for daemon in backend.daemons:
        lab.signal(node, daemon.name, 9)
        lab.wait_for_exit(node, daemon.name)
    with pytest.raises(LabError, match=f"{node}: nothing accepts at /run/charon.vici"):
        vici.sas(lab, node)
    running.start_all(lab, {node: backend})
    vici.initiate(lab, node, pair.name)
    wait_until(lambda: (pair.ike_spis() or before) != before, "only the new IKE SA")
    pair.prove()


def test_what_it_does_not_know_ends_up_with_the_reason(fresh: Builder) -> None:
    plan = parse("unknown", TOPOLOGY.replace("aes256-sha512", "enigma"))
    reason = "charon ended .*loading connection 'conn2' failed: invalid value for: esp_proposals"
    with pytest.raises(LabError, match=reason):
        fresh(assign(plan, ["alice=strongswan"]))
