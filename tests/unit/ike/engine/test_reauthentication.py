# SPDX-License-Identifier: GPL-2.0-or-later
"""Reauthentication: make before break, and whatever gets in its way (RFC 7296, 2.8.3)."""

from typing import Any

import pytest

from ike.engine.context import Datagram
from ike.engine.events import IkeSaClosed, IkeSaEstablished
from ike.errors import UnknownName
from ike.message.header import Header
from ike.message.numbers import ExchangeType
from tests.unit.ike.network import IPV4, Network, Side, Weather

HELD = {"ae": 1, "isa": 1, "esa": 1}


def up(**options: Any) -> Network:
    network = Network(**options)
    network.ping(network.alice)
    network.run_until(network.is_up)
    network.run(1)
    return network


def reauthenticate(network: Network, side: Side) -> None:
    (sa,) = (each for each in side.engine.sas() if not each.successor)
    side.engine.reauthenticate(sa.id, network.now)


def established(side: Side) -> int:
    return sum(isinstance(event, IkeSaEstablished) for event in side.events)


def check_one_of_each(network: Network) -> None:
    assert network.is_up()
    for side in network.sides:
        assert side.ike_sas() == ["ESTABLISHED"]
        assert side.contexts() == side.in_tkm() == HELD


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_the_initiator_and_the_responder_reauthenticate(connected: Network, who: str) -> None:
    before = connected.alice.states()
    reauthenticate(connected, getattr(connected, who))
    connected.run(5)
    check_one_of_each(connected)
    assert connected.alice.states().isdisjoint(before)
    assert established(connected.alice) == established(connected.bob) == 2


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_there_is_a_pair_of_states_on_both_sides_all_the_time(connected: Network, who: str) -> None:
    shared = []

    def watch(datagram: Datagram) -> list[bytes]:
        shared.append(len(connected.alice.states() & connected.bob.states()))
        return [datagram.octets]

    connected.meddler = watch
    reauthenticate(connected, getattr(connected, who))
    connected.run(5)
    assert len(shared) >= 6
    assert min(shared) == 2
    assert max(shared) == 3, "the responder does not send through the new one yet"


def test_the_peer_is_authenticated_anew(
    connected: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tkm")
    reauthenticate(connected, connected.alice)
    connected.run(5)
    assert sum("Authentication of ISA context" in line for line in caplog.messages) == 2


@pytest.mark.parametrize("seed", range(8))
def test_both_reauthenticate_at_once(seed: int) -> None:
    network = up(seed=seed)
    network.weather = Weather(delays=(0.01, 0.3))
    for side in network.sides:
        reauthenticate(network, side)
    network.run(30)
    check_one_of_each(network)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_the_old_one_is_rekeyed_meanwhile(connected: Network, who: str) -> None:
    reauthenticate(connected, connected.alice)
    getattr(connected, who).engine.rekey_ike_sa(1, connected.now)
    connected.run(120)
    check_one_of_each(connected)


def lose_auth(datagram: Datagram) -> list[bytes]:
    """IKE_AUTH does not get through."""
    header = Header.decode_any(datagram.octets)[0]
    return [] if header.exchange == ExchangeType.IKE_AUTH else [datagram.octets]


def test_nothing_changes_if_it_fails(connected: Network) -> None:
    before = connected.alice.states()
    connected.meddler = lose_auth
    reauthenticate(connected, connected.alice)
    connected.run(300)
    check_one_of_each(connected)
    assert connected.alice.states() == connected.bob.states() == before


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_nothing_changes_without_a_new_child_sa(connected: Network, who: str) -> None:
    before = connected.alice.states()
    getattr(connected, who).kernel.refuses = True
    reauthenticate(connected, connected.alice)
    connected.run(30)
    check_one_of_each(connected)
    assert connected.alice.states() == connected.bob.states() == before


@pytest.mark.parametrize("seed", range(8))
def test_the_other_side_does_not_know_yet_that_the_old_one_has_come_up(seed: int) -> None:
    """Both sides see two IKE SAs then, and both have to delete the same one."""
    network = Network(seed)
    network.meddler = lose_bobs_auth_response
    network.ping(network.alice)
    network.run(0.1)
    reauthenticate(network, network.bob)
    network.run(0.1)
    assert established(network.bob) == 2
    network.meddler = lambda datagram: [datagram.octets]
    network.run(30)
    check_one_of_each(network)


def lose_bobs_auth_response(datagram: Datagram) -> list[bytes]:
    header = Header.decode_any(datagram.octets)[0]
    response = header.exchange == ExchangeType.IKE_AUTH and header.response
    return [] if response and datagram.local.host == IPV4["bob"] else [datagram.octets]


def test_once_at_a_time(connected: Network) -> None:
    reauthenticate(connected, connected.alice)
    with pytest.raises(UnknownName, match="already"):
        connected.alice.engine.reauthenticate(1, connected.now)
    with pytest.raises(UnknownName):
        connected.alice.engine.reauthenticate(9, connected.now)
    connected.run(5)
    check_one_of_each(connected)
    reauthenticate(connected, connected.alice)
    connected.run(5)
    check_one_of_each(connected)


def test_reauth_time() -> None:
    network = up(reauth_time=100.0)
    network.run(350)
    assert 4 <= established(network.alice) <= 9
    check_one_of_each(network)


def test_rekeying_does_not_put_it_off() -> None:
    network = up(reauth_time=100.0)
    (sa,) = network.alice.engine.sas()
    due = sa.lifetime.reauthenticate_at
    network.alice.engine.rekey_ike_sa(sa.id, network.now)
    network.run(20)
    (sa,) = network.alice.engine.sas()
    assert sa.lifetime.reauthenticate_at == due
    network.run(90)
    assert established(network.alice) == 2


def test_another_try_in_time_or_the_end() -> None:
    """``over_time`` ends what cannot be renewed; while it lasts, there is another try."""
    network = up(reauth_time=1000.0, over_time=400.0, rand_time=0.0)
    network.meddler = lose_auth
    network.run(1100)
    assert network.is_up()
    network.meddler = lambda datagram: [datagram.octets]
    network.run(200)
    check_one_of_each(network)
    assert established(network.alice) > 1
    network.meddler = lose_auth
    network.run(1600)
    assert [side.states() for side in network.sides] == [set(), set()]
    reasons = [event.reason for event in network.alice.events if isinstance(event, IkeSaClosed)]
    assert any(reason in ("its lifetime is over", "the peer deletes it") for reason in reasons)
