# SPDX-License-Identifier: GPL-2.0-or-later
"""Both sides begin at once: two IKE SAs come up, and one of them stays."""

import pytest

from ike.address import Endpoint, Path
from ike.engine.create_child_sa import CreateChildSa
from ike.engine.events import IkeSaEstablished
from tests.unit.ike.network import IPV6, REQID, Network, Weather


def came_up(network: Network) -> int:
    return sum(isinstance(event, IkeSaEstablished) for event in network.alice.events)


@pytest.mark.parametrize("seed", range(8))
def test_one_ike_sa_stays(seed: int) -> None:
    network = Network(seed, Weather(delays=(0.01, 0.3)))
    for side in network.sides:
        network.ping(side)
    network.run(30)
    assert came_up(network) == 2, "both were under way"
    assert network.is_up()
    for side in network.sides:
        assert side.ike_sas() == ["ESTABLISHED"]
        assert side.contexts() == side.in_tkm() == {"ae": 1, "isa": 1, "esa": 1}


def test_initial_contact_is_not_said_while_there_is_another(connected: Network) -> None:
    (sa,) = connected.alice.engine.sas()
    connected.alice.engine.reauthenticate(sa.id, connected.now)
    connected.run_until(lambda: len(connected.bob.ike_sas()) == 2)
    assert connected.bob.ike_sas().count("ESTABLISHED") >= 1


def test_initial_contact_leaves_the_other_address_family_alone(connected: Network) -> None:
    """A peer with both families sends it once in each: strongSwan does, and so do we."""
    ipv6 = {side: Endpoint(IPV6[side.name], 500) for side in connected.sides}
    for side, other in (connected.sides, connected.sides[::-1]):
        (sa,) = side.engine.sas()
        sa.route.move(Path(ipv6[side], ipv6[other]))
        sa.peer.remote_id = REQID + 1  # another policy, as the two families need
    connected.run(20)  # an acquire right after a Child SA is taken for a late one
    connected.ping(connected.alice)
    connected.run(5)
    for side in connected.sides:
        assert side.ike_sas() == ["ESTABLISHED"] * 2
        assert {sa.route.path.local.host for sa in side.engine.sas()} == {
            ipv6[side].host,
            side.endpoint.host,
        }
    assert all(sa.peer.first_contact for sa in connected.alice.engine.sas())


def test_work_that_waits_is_done_on_the_one_that_stays() -> None:
    network = Network()
    for side in network.sides:
        network.ping(side)
    network.run_until(lambda: len(network.alice.ike_sas()) == 2)
    for side in network.sides:
        for sa in side.engine.sas():
            if sa.channel.initiator:
                (child,) = sa.connection.children
                sa.enqueue(CreateChildSa(child))
    network.run(30)
    assert came_up(network) == 2
    assert network.alice.states() == network.bob.states()
    assert len(network.alice.states()) == 6
    assert network.alice.ike_sas() == ["ESTABLISHED"]


@pytest.mark.parametrize("seed", range(4))
def test_work_that_waits_does_not_overtake_the_answer(seed: int) -> None:
    """Nothing is lost and late here; so nothing has to be repeated."""
    network = Network(seed)
    network.ping(network.alice)
    network.run(0.025)
    network.bob.engine.initiate(REQID, network.now)
    network.run(0.025)
    (sa,) = (sa for sa in network.alice.engine.sas() if sa.channel.initiator)
    waiting = CreateChildSa(sa.connection.children[0])
    waiting.not_before = network.now + 10
    sa.enqueue(waiting)
    network.run(30)
    assert came_up(network) == 2
    assert len(network.alice.states()) == 4
    assert len(set(network.sent)) == len(network.sent)
