# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_iked and stock strongSwan with a NAT gateway between them, either one behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.build import builder
from lab.build.backends import assign
from lab.client import vici
from lab.client.lab import Lab
from lab.topology import load
from tests.e2e.interop import Pair, wait_until

sides = pytest.mark.parametrize("side", ["first", "second"])


@pytest.fixture(scope="module", params=["alice", "sun"], ids="strongswan-on-{}".format)
def pair(request: pytest.FixtureRequest, worker_id: str) -> Iterator[Pair]:
    """alice, who is behind the NAT gateway, and sun; strongSwan's is the one of the parameter."""
    plan = assign(load("nat"), [f"{request.param}=strongswan"])
    with builder.up(plan, f"interop-nat-{worker_id}") as lab:
        yield Pair(lab, "conn1", ("alice", "sun"))


def floats(lab: Lab, node: str) -> bool:
    """Whether a node's IKE SAs have moved to port 4500."""
    ports = {sa.fields[f"{end}-port"] for sa in vici.sas(lab, node) for end in ("local", "remote")}
    return "4500" in ports and "500" not in ports


def test_esp_goes_in_udp(pair: Pair) -> None:
    pair.establish()
    pair.prove()
    for node in pair.nodes:
        assert floats(pair.lab, node)
        (child,) = pair.children(node)
        assert child.fields["encap"] == "yes"


@sides
def test_rekeyed(pair: Pair, side: str) -> None:
    pair.establish()
    before, children = pair.ike_spis(), pair.child_spis()
    vici.rekey(pair.lab, pair.side(side), ike=pair.name)
    wait_until(lambda: (pair.ike_spis() or before) != before, "another IKE SA")
    vici.rekey(pair.lab, pair.side(side), child=pair.name)
    wait_until(lambda: (pair.child_spis() or children) != children, "another Child SA")
    pair.prove()
