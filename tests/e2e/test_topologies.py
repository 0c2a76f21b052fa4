# SPDX-License-Identifier: GPL-2.0-or-later
"""Every topology that is shipped: up, the first packet answered, ESP proven on every black link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from lab.build import builder
from lab.check import checker
from lab.check.proof import Flaw
from lab.client.lab import Lab
from lab.topology import load, parse
from tests.e2e.conftest import Builder


class Expected(NamedTuple):
    """Who pings whom first, which links are red, and with how many clients."""

    source: str
    destination: str
    red: frozenset[str] = frozenset()
    clients: int | None = None


SITES = frozenset({"left", "right"})
EXPECTED = {
    "net-to-net": Expected("alice", "10.2.0.10", SITES),
    "routed": Expected("alice", "192.168.2.10"),
    "multiple-clients": Expected("carol", "192.168.0.2"),
    "multi-level-ca": Expected("dave", "192.168.0.2"),
    "dual-stack": Expected("alice", "fd02::10", SITES),
    "nat": Expected("alice", "10.2.0.10", frozenset({"right"})),
    "mixed": Expected("bob", "192.168.0.1"),
    "star": Expected("client2", "192.168.0.1", clients=2),
}
"""two-hosts has tests of its own."""


def ping(lab: Lab, source: str, destination: str) -> bool:
    """Whether one answer comes within ten seconds; the first packets raise the SAs."""
    command = ["ping", "-q", "-n", "-c", "1", "-i", "0.05", "-w", "10", destination]
    return lab.call(source, command).code == 0


@pytest.fixture(scope="module", params=EXPECTED)
def built(request: pytest.FixtureRequest, worker_id: str) -> Iterator[tuple[str, Lab]]:
    """A topology's name, and its lab; the tests of this module share it."""
    name: str = request.param
    clients = EXPECTED[name].clients
    topology = load(name, {} if clients is None else {"clients": clients})
    with builder.up(topology, f"test-{os.getpid()}-{worker_id}-{name}") as lab:
        yield name, lab


def test_comes_up_by_itself_and_is_proven(built: tuple[str, Lab]) -> None:
    name, lab = built
    expected = EXPECTED[name]
    assert ping(lab, expected.source, expected.destination)
    proofs = checker.check(lab)
    assert {proof.link for proof in proofs if proof.red} == expected.red
    for proof in proofs:
        failures = [str(failure) for failure in proof.verdict.failures]
        assert proof.verdict.ok, (proof.link, failures)
        assert bool(proof.verdict.deliveries) == (not proof.red)
    if special := SPECIAL.get(name):
        special(lab, {proof.link: proof for proof in proofs})


Proofs = dict[str, checker.Proof]


def net_to_net(lab: Lab, proofs: Proofs) -> None:
    packets = proofs["wire"].verdict.esp
    assert {packet.sender for packet in packets} == {"moon", "sun"}
    inner = {(packet.inner.src, packet.inner.dst) for packet in packets if packet.inner}
    assert inner == {("10.1.0.10", "10.2.0.10"), ("10.2.0.10", "10.1.0.10")}
    assert all(proofs[link].verdict.other["plain text"] for link in SITES)
    assert {state.mode for state in lab.states("moon").states if state.spi} == {"tunnel"}


def routed(_: Lab, proofs: Proofs) -> None:
    assert {p.sender for p in proofs["west"].verdict.esp} == {"alice", "router"}
    assert {p.sender for p in proofs["east"].verdict.esp} == {"router", "bob"}


def multi_level_ca(lab: Lab, _: Proofs) -> None:
    told = "\n".join(line.text for line in lab.logs("sun", "tkm_keymanager"))
    above = {"carol": "research", "dave": "branch"}
    for host, authority in above.items():
        issuer = f"with certificate 'O=tkm-lab, CN=tkm-lab {authority}'"
        assert f"CN={host}@tkm-lab.test' {issuer}" in told


def dual_stack(_: Lab, proofs: Proofs) -> None:
    packets = proofs["wire"].verdict.esp
    versions = {(":" in packet.src, ":" in packet.inner.src) for packet in packets if packet.inner}
    assert versions == {(False, False), (True, True)}


def nat(_: Lab, proofs: Proofs) -> None:
    home, wire = (proofs[link].verdict.esp for link in ("home", "wire"))
    assert all(packet.in_udp for packet in (*home, *wire))
    assert {packet.src for packet in home} == {"10.1.0.10", "192.168.0.2"}
    assert {packet.src for packet in wire} == {"192.168.0.1", "192.168.0.2"}
    assert {packet.sender for packet in wire} == {"moon", "sun"}


def star(lab: Lab, _: Proofs) -> None:
    assert len([state for state in lab.states("hub").states if state.spi]) == 4


SPECIAL = {
    "net-to-net": net_to_net,
    "routed": routed,
    "multi-level-ca": multi_level_ca,
    "dual-stack": dual_stack,
    "nat": nat,
    "star": star,
}
"""What is particular about a topology."""


TWO_POLICIES = """
title = "two policies between the same gateways"
[links.north]
[links.south]
[links.wire]
[links.right]
[nodes.moon]
addresses = { wire = "192.168.0.1/24", north = "10.1.0.1/16", south = "10.3.0.1/16" }
routes = { default = "192.168.0.2" }
forward = true
[nodes.sun]
addresses = { wire = "192.168.0.2/24", right = "10.2.0.1/16" }
routes = { default = "192.168.0.1" }
forward = true
[[policies]]
between = ["moon", "sun"]
mode = "tunnel"
networks = { moon = "10.1.0.0/16", sun = "10.2.0.0/16" }
[[policies]]
between = ["moon", "sun"]
mode = "tunnel"
networks = { moon = "10.3.0.0/16", sun = "10.2.0.0/16" }
"""


def test_two_policies_between_the_same_peers(fresh: Builder) -> None:
    lab = fresh(parse("two-policies", TWO_POLICIES))
    for source in ("10.1.0.1", "10.3.0.1"):
        command = ["ping", "-q", "-n", "-c", "1", "-i", "0.05", "-w", "10", "-I", source]
        assert lab.call("moon", [*command, "10.2.0.1"]).code == 0
    outbound = {s.reqid for s in lab.states("moon").states if s.spi and s.src == "192.168.0.1"}
    assert outbound == {1, 2}


NESTED = """
title = "a host in a net, in a wider net of another peer"
[links.wire]
[links.hub]
[links.spoke]
[nodes.alice]
addresses = { wire = "192.168.0.1/24" }
routes = { "172.16.0.0/12" = "192.168.0.2", "172.20.0.0/16" = "192.168.0.3" }
[nodes.bob]
addresses = { wire = "192.168.0.2/24", hub = "172.17.0.1/16" }
forward = true
[nodes.carol]
addresses = { wire = "192.168.0.3/24", spoke = "172.20.0.1/16" }
forward = true
[[policies]]
between = ["alice", "bob"]
mode = "tunnel"
networks = { alice = "192.168.0.1/32", bob = "172.16.0.0/12" }
[[policies]]
between = ["alice", "carol"]
mode = "tunnel"
networks = { alice = "192.168.0.1/32", carol = "172.20.0.0/16" }
[[policies]]
between = ["alice", "carol"]
mode = "tunnel"
networks = { alice = "192.168.0.1/32", carol = "172.20.0.1/32" }
"""


def test_of_policies_within_another_the_most_specific_one_brings_its_peer_up(
    fresh: Builder,
) -> None:
    lab = fresh(parse("nested", NESTED))
    for destination, reqids in (("172.20.0.1", {3}), ("172.17.0.1", {1, 3})):
        assert ping(lab, "alice", destination)
        assert {state.reqid for state in lab.states("alice").states if state.spi} == reqids
    proofs = checker.check(lab)
    assert all(proof.verdict.ok for proof in proofs), [
        str(failure) for proof in proofs for failure in proof.verdict.failures
    ]


ONE_LINK = """
title = "IPv6 in transport mode: who are each other's neighbours"
[links.wire]
[nodes.alice]
addresses = { wire = "fd00::1/64" }
[nodes.bob]
addresses = { wire = "fd00::2/64" }
[[policies]]
between = ["alice", "bob"]
"""


def test_ipv6_neighbours_find_each_other_and_all_else_is_esp(fresh: Builder) -> None:
    lab = fresh(parse("one-link", ONE_LINK))
    assert ping(lab, "alice", "fd00::2")
    (proof,) = checker.check(lab)
    assert proof.verdict.ok, [str(failure) for failure in proof.verdict.failures]
    assert proof.verdict.other["neighbour discovery"]


def test_what_is_red_is_refused_where_it_is_black(built: tuple[str, Lab]) -> None:
    """The same capture, judged as if nobody had said that plain text is normal on a link."""
    name, lab = built
    if not (red := EXPECTED[name].red):
        assert not checker.gather(lab).red
        return
    evidence = replace(checker.gather(lab), red=frozenset())
    for proof in checker.judge(evidence):
        flaws = {failure.flaw for failure in proof.verdict.failures}
        assert flaws == ({Flaw.PLAINTEXT} if proof.link in red else set())
