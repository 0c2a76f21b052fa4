# SPDX-License-Identifier: GPL-2.0-or-later
"""INFORMATIONAL, retransmission, liveness: how IKE SAs live and end."""

import logging
from typing import Any

import pytest

from ike.engine.context import Datagram, Settings
from ike.engine.events import ChildSaRemoved, IkeSaClosed
from ike.engine.window import Retransmission
from ike.message.header import Header
from ike.message.numbers import ExchangeType
from tests.unit.ike.network import FINE, Network, Weather


def exchange_of(datagram: Datagram) -> int:
    return Header.decode_any(datagram.octets)[0].exchange


def test_delete_ike_sa(connected: Network) -> None:
    connected.alice.engine.terminate("test", connected.now)
    connected.run(1)
    for side in connected.sides:
        assert side.states() == set()
        assert side.contexts() == {}
        assert isinstance(side.events[-1], IkeSaClosed)
        assert side.events[-1].wanted
        assert side.engine.is_idle
    connected.run(100)
    assert not any(side.engine.registry for side in connected.sides)


def test_both_delete_the_ike_sa_at_once(connected: Network) -> None:
    for side in connected.sides:
        side.engine.terminate("test", connected.now)
    connected.run(1)
    assert [side.contexts() for side in connected.sides] == [{}, {}]
    assert all(side.engine.is_idle for side in connected.sides)


def test_delete_child_sa(connected: Network) -> None:
    (spi,) = connected.bob.engine.context.children
    connected.bob.engine.delete_child_sa(spi, "test", connected.now)
    connected.run(1)
    for side in connected.sides:
        assert side.states() == set()
        assert side.contexts() == {"ae": 1, "isa": 1}
        assert isinstance(side.events[-1], ChildSaRemoved)


def test_both_delete_the_child_sa_at_once(connected: Network) -> None:
    for side in connected.sides:
        (spi,) = side.engine.context.children
        side.engine.delete_child_sa(spi, "test", connected.now)
    connected.run(1)
    assert [side.contexts() for side in connected.sides] == [{"ae": 1, "isa": 1}] * 2


@pytest.mark.parametrize("outbound", [True, False])
def test_hard_expire_deletes_on_both_sides(connected: Network, outbound: bool) -> None:
    (child,) = connected.alice.engine.context.children.values()
    spi = child.spi_remote if outbound else child.spi_local
    connected.alice.engine.expire(1, spi, hard=True, now=connected.now)
    connected.run(1)
    assert [side.states() for side in connected.sides] == [set(), set()]


def test_expire_of_something_unknown(connected: Network) -> None:
    connected.alice.engine.expire(1, bytes(4), hard=True, now=connected.now)
    connected.alice.engine.expire(9, bytes(4), hard=False, now=connected.now)
    connected.run(1)
    assert connected.is_up()


def test_a_silent_peer_is_given_up(connected: Network) -> None:
    begin = connected.now
    connected.meddler = lambda datagram: []
    connected.alice.engine.terminate("test", begin)
    connected.run_until(lambda: connected.alice.engine.is_idle)
    retransmission = Retransmission()
    patience = sum(retransmission.delay(n) for n in range(1, retransmission.tries + 2))
    assert connected.now == pytest.approx(begin + patience)
    repeated = [d for d in connected.sent if exchange_of(d) == ExchangeType.INFORMATIONAL]
    assert len(repeated) == 1 + retransmission.tries
    assert len({d.octets for d in repeated}) == 1
    assert connected.alice.contexts() == {}


def test_a_peer_that_never_was_is_given_up(network: Network) -> None:
    network.meddler = lambda datagram: []
    network.ping(network.alice)
    network.run(300)
    assert network.alice.engine.is_idle
    assert network.alice.contexts() == {}
    closed = network.alice.events[-1]
    assert isinstance(closed, IkeSaClosed)
    assert "no answer from 192.168.0.2[500]" in closed.reason
    assert not closed.wanted


@pytest.mark.parametrize("lost", range(8))
def test_each_message_may_get_lost(lost: int) -> None:
    network = Network()
    count = iter(range(100))
    network.meddler = lambda datagram: [] if next(count) == lost else [datagram.octets]
    network.ping(network.alice)
    network.run_until(network.is_up, 5)
    network.alice.engine.terminate("test", network.now)
    network.run(5)
    assert [side.contexts() for side in network.sides] == [{}, {}]


def test_liveness() -> None:
    network = Network(dpd_delay=10.0)
    network.ping(network.alice)
    network.run_until(network.is_up)
    sent = len(network.sent)
    network.run(35)
    assert network.is_up()
    assert len(network.sent) - sent >= 6
    network.meddler = lambda datagram: []
    network.run(300)
    for side in network.sides:
        assert side.states() == set()
        assert side.contexts() == {}


def test_no_liveness_unless_configured(connected: Network) -> None:
    sent = len(connected.sent)
    connected.run(1000)
    assert len(connected.sent) == sent


def test_a_lingering_ike_sa_repeats_its_last_answer(connected: Network) -> None:
    connected.weather = Weather(loss=0.0)
    answers: list[bytes] = []

    def swallow(datagram: Datagram) -> list[bytes]:
        if datagram.local == connected.bob.endpoint and len(answers) < 3:
            answers.append(datagram.octets)
            return []
        return [datagram.octets]

    connected.meddler = swallow
    connected.alice.engine.terminate("test", connected.now)
    connected.run(20)
    assert connected.weather == FINE._replace(loss=0.0)
    assert len(answers) == 3
    assert len(set(answers)) == 1
    assert connected.alice.engine.is_idle
    assert connected.alice.events[-1].reason == "test"


def test_settings_of_patience() -> None:
    quick = Settings(retransmission=Retransmission(first=0.1, factor=1.0, tries=1))
    network = Network(settings=quick)
    network.meddler = lambda datagram: []
    network.ping(network.alice)
    network.run(0.3)
    assert network.alice.engine.is_idle


def test_a_first_request_that_comes_late_is_told(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first: list[bytes] = []

    def note(datagram: Any) -> list[bytes]:
        first.append(datagram.octets)
        return [datagram.octets]

    network.meddler = note
    network.ping(network.alice)
    network.run(5)
    assert network.is_up()
    alice, bob = network.sides
    caplog.clear()
    bob.engine.receive_datagram(first[0], bob.endpoint, alice.endpoint, network.now)
    assert caplog.messages == ["to-alice[1]: IKE_SA_INIT request 0 dropped"]
    assert not bob.engine.context.outbox
