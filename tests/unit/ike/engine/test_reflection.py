# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody on the wire sends alice's packets back to her, as if bob had sent them."""

from typing import Any

import pytest

from ike.engine.context import Datagram
from tests.unit.ike.network import Network, Side, rekey_ike_sa, soft_expire

NETS = {"alice": "10.1.0.0/16", "bob": "10.2.0.0/16"}
MODES = pytest.mark.parametrize("nets", [None, NETS], ids=["transport", "tunnel"])


def reflecting(network: Network, side: Side) -> None:
    """All that a side sends comes back to it as well, at once."""

    def meddle(datagram: Datagram) -> list[bytes]:
        if datagram.local == side.endpoint:
            side.engine.receive_datagram(
                datagram.octets, side.endpoint, datagram.remote, network.now
            )
        return [datagram.octets]

    network.meddler = meddle


def check(network: Network) -> None:
    """No packet of a side fits a state by which it receives, by SPI or by key."""
    for side in network.sides:
        host = side.endpoint.host
        inbound = {state for state in side.states() if state.destination == host}
        outbound = side.states() - inbound
        assert inbound
        assert outbound
        assert not {state.spi for state in inbound} & {state.spi for state in outbound}
        for one in inbound:
            for other in outbound:
                assert not {one.encryption, one.integrity} & {other.encryption, other.integrity}


@MODES
@pytest.mark.parametrize("reflected", [0, 1], ids=["alice", "bob"])
def test_reflected_messages_are_never_the_peers(nets: Any, reflected: int) -> None:
    network = Network(nets=nets)
    side = network.sides[reflected]
    reflecting(network, side)
    network.ping(network.alice)
    network.run(10)
    assert network.is_up()
    check(network)
    for other in network.sides:
        soft_expire(network, other)
        network.run(10)
        check(network)
        rekey_ike_sa(network, other)
        network.run(10)
    check(network)
    assert network.alice.states() == network.bob.states()
    for each in network.sides:
        assert each.ike_sas() == ["ESTABLISHED"]
        assert each.contexts() == each.in_tkm()


@MODES
def test_nobody_but_alice_is_there(nets: Any) -> None:
    """Every packet of hers comes back to her, and none gets to bob: she talks to herself."""
    network = Network(nets=nets)
    alice = network.alice

    def meddle(datagram: Datagram) -> list[bytes]:
        alice.engine.receive_datagram(datagram.octets, alice.endpoint, datagram.remote, network.now)
        return []

    network.meddler = meddle
    network.ping(alice)
    network.run(120)
    assert alice.states() == set()
    assert "ESTABLISHED" not in alice.ike_sas()
