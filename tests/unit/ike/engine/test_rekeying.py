# SPDX-License-Identifier: GPL-2.0-or-later
"""CREATE_CHILD_SA: rekeying of Child SAs and IKE SAs, from both sides, and collisions."""

from collections.abc import Callable
from typing import Any

import pytest

from ike.engine.context import Datagram
from ike.engine.events import ChildSaInstalled, IkeSaRekeyed
from ike.engine.informational import Liveness
from ike.message.header import Header
from ike.message.numbers import ExchangeType
from tests.unit.ike.network import Network, Side, rekey_ike_sa, soft_expire

ESP = ["aes256-sha512", "aes256-sha512-modp3072"]


def up(**options: Any) -> Network:
    network = Network(**options)
    network.ping(network.alice)
    network.run_until(network.is_up)
    network.run(1)
    return network


@pytest.fixture(params=ESP, ids=["without PFS", "with PFS"])
def connected(request: pytest.FixtureRequest) -> Network:
    return up(esp=request.param)


def exchanges(network: Network, since: int) -> list[int]:
    return [Header.decode_any(d.octets)[0].exchange for d in network.sent[since:]]


def check_one_of_each(network: Network) -> None:
    """One IKE SA, one Child SA, the same on both sides, nothing else taken."""
    assert network.is_up()
    assert len(network.alice.states()) == 2
    for side in network.sides:
        assert side.ike_sas() == ["ESTABLISHED"]
        assert side.contexts() == {"ae": 1, "isa": 1, "esa": 1}
    spis = [
        {(sa["initiator_spi"], sa["responder_spi"]) for sa in side.engine.status()}
        for side in network.sides
    ]
    assert spis[0] == spis[1]


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_rekey_child_sa(connected: Network, who: str) -> None:
    before, since = connected.alice.states(), len(connected.sent)
    soft_expire(connected, getattr(connected, who))
    connected.run(1)
    assert connected.alice.states().isdisjoint(before)
    check_one_of_each(connected)
    assert exchanges(connected, since) == [36, 36, 37, 37]
    (replaced,) = [e.rekeyed for e in connected.alice.events if isinstance(e, ChildSaInstalled)][1:]
    assert replaced in {state.spi for state in before}


def test_the_inbound_state_expires_too_and_changes_nothing(connected: Network) -> None:
    (child,) = connected.alice.engine.context.children.values()
    since = len(connected.sent)
    connected.alice.engine.expire(1, child.spi_local, hard=False, now=connected.now)
    connected.run(1)
    assert len(connected.sent) == since


def test_soft_expire_is_reported_twice(connected: Network) -> None:
    since = len(connected.sent)
    soft_expire(connected, connected.alice)
    soft_expire(connected, connected.alice)
    connected.run(1)
    assert exchanges(connected, since) == [36, 36, 37, 37]
    check_one_of_each(connected)


@pytest.mark.parametrize("seed", range(12))
def test_both_rekey_the_child_sa_at_once(seed: int) -> None:
    network = up(esp=ESP[seed % 2])
    before = network.alice.states()
    for side in network.sides:
        soft_expire(network, side)
    network.run(5)
    assert network.alice.states().isdisjoint(before)
    check_one_of_each(network)


def hold(network: Network, side: Side, *, response: bool) -> Callable[[], None]:
    """Keep back what ``side`` sends of CREATE_CHILD_SA, until the function returned is called."""
    held = True

    def meddle(datagram: Datagram) -> list[bytes]:
        header = Header.decode_any(datagram.octets)[0]
        kept = header.exchange == ExchangeType.CREATE_CHILD_SA and header.response is response
        return [] if held and kept and datagram.local == side.endpoint else [datagram.octets]

    network.meddler = meddle

    def release() -> None:
        nonlocal held
        held = False

    return release


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("response", [True, False])
@pytest.mark.parametrize("round_", range(4))
def test_collision_of_child_rekeyings_when_messages_are_late(
    who: str, response: bool, round_: int
) -> None:
    network = up()
    release = hold(network, getattr(network, who), response=response)
    for side in network.sides:
        soft_expire(network, side)
    network.run(0.5)
    release()
    network.run(20)
    check_one_of_each(network)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_rekey_ike_sa(connected: Network, who: str) -> None:
    before, since = connected.alice.states(), len(connected.sent)
    rekey_ike_sa(connected, getattr(connected, who))
    connected.run(1)
    assert connected.alice.states() == before, "Child SAs are inherited"
    check_one_of_each(connected)
    assert exchanges(connected, since) == [36, 36, 37, 37]
    for side in connected.sides:
        assert any(isinstance(event, IkeSaRekeyed) for event in side.events)
    soft_expire(connected, connected.bob)
    connected.run(1)
    check_one_of_each(connected)
    connected.bob.engine.terminate("test", connected.now)
    connected.run(1)
    assert [side.contexts() for side in connected.sides] == [{}, {}]


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_nothing_is_sent_before_the_peer_can_understand_it(connected: Network, who: str) -> None:
    """What waits while the peer rekeys begins on the new IKE SA, behind the response."""
    side, since = getattr(connected, who), len(connected.sent)
    (other,) = (each for each in connected.sides if each is not side)
    rekey_ike_sa(connected, side)
    (sa,) = other.engine.sas()
    sa.context.now = connected.now
    sa.enqueue(Liveness())
    soft_expire(connected, other)
    connected.run(60)
    check_one_of_each(connected)
    assert exchanges(connected, since).count(36) == 4, "both were rekeyed"
    assert len(set(connected.sent)) == len(connected.sent), "nothing had to be repeated"


@pytest.mark.parametrize("seed", range(12))
def test_both_rekey_the_ike_sa_at_once(seed: int) -> None:
    network = up()
    for side in network.sides:
        rekey_ike_sa(network, side)
    network.run(5)
    check_one_of_each(network)


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("response", [True, False])
@pytest.mark.parametrize("round_", range(4))
def test_collision_of_ike_rekeyings_when_messages_are_late(
    who: str, response: bool, round_: int
) -> None:
    network = up()
    release = hold(network, getattr(network, who), response=response)
    for side in network.sides:
        rekey_ike_sa(network, side)
    network.run(0.5)
    release()
    network.run(300)
    check_one_of_each(network)


def test_child_and_ike_rekeyings_collide(connected: Network) -> None:
    soft_expire(connected, connected.alice)
    rekey_ike_sa(connected, connected.bob)
    connected.run(60)
    check_one_of_each(connected)
    for side in connected.sides:
        assert any(isinstance(event, IkeSaRekeyed) for event in side.events)
        assert len([e for e in side.events if isinstance(e, ChildSaInstalled)]) == 2


def test_rekeying_collides_with_deletion_of_the_child_sa(connected: Network) -> None:
    soft_expire(connected, connected.alice)
    (spi,) = connected.bob.engine.context.children
    connected.bob.engine.delete_child_sa(spi, "test", connected.now)
    connected.run(60)
    assert connected.alice.states() == connected.bob.states()
    assert len(connected.alice.states()) in (0, 2)


def test_rekeying_collides_with_deletion_of_the_ike_sa(connected: Network) -> None:
    rekey_ike_sa(connected, connected.alice)
    connected.bob.engine.terminate("test", connected.now)
    connected.run(300)
    assert [side.contexts() for side in connected.sides] == [{}, {}]


@pytest.mark.parametrize("round_", range(6))
def test_deletion_for_good_is_not_lost_in_a_collision(round_: int) -> None:
    """It waits behind our own rekeying when the peer, who has rekeyed, too, deletes the old one."""
    network = up()
    release = hold(network, network.bob, response=True)
    for side in network.sides:
        rekey_ike_sa(network, side)
    network.alice.engine.delete_ike_sa(1, "test", network.now)
    network.run(0.5)
    release()
    network.run(300)
    assert [side.contexts() for side in network.sides] == [{}, {}]


def test_the_peer_does_not_know_the_child_sa(connected: Network) -> None:
    bob = connected.bob
    (child,) = bob.engine.context.children.values()
    (sa,) = bob.engine.sas()
    sa.peer.remove(sa.id, child, "lost")
    soft_expire(connected, connected.alice)
    connected.run(5)
    check_one_of_each(connected)


def test_the_kernel_refuses_the_new_child_sa(connected: Network) -> None:
    before = connected.alice.states()
    connected.alice.kernel.refuses = True
    soft_expire(connected, connected.alice)
    connected.run(5)
    assert connected.alice.states() == before
    assert connected.bob.states() >= before
    assert connected.alice.contexts() == {"ae": 1, "isa": 1, "esa": 1}
    connected.alice.kernel.refuses = False


def test_rekey_time() -> None:
    network = up(rekey_time=100.0)
    network.run(350)
    rekeyed = [e for e in network.alice.events if isinstance(e, IkeSaRekeyed)]
    assert 3 <= len(rekeyed) <= 8
    check_one_of_each(network)
