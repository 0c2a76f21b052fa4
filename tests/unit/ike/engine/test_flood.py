# SPDX-License-Identifier: GPL-2.0-or-later
"""A flood of IKE_SA_INIT: what it costs is bounded, and who has a right to speak gets through."""

import random

import pytest

from ike.address import Endpoint
from ike.engine.context import Datagram, Settings
from ike.message.header import NO_SPI, Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payloads import Nonce, Notify
from tests.unit.ike.crowd import Crowd, short_groups
from tests.unit.ike.engine.test_setup import put
from tests.unit.ike.network import Network, Weather

FEW = Settings(cookie_threshold=3, half_open_limit=8)


class Flooder:
    """Makes first messages out of alice's, from any address; each is one that bob has not seen."""

    def __init__(self, network: Network) -> None:
        other = Network(5)
        other.ping(other.alice)
        other.run(0.001)
        self.model = Message.decode(other.sent[0].octets)
        self.network = network
        self.chance = random.Random(5)

    def request(self, cookie: bytes = b"", template: Message | None = None) -> Message:
        """Another first message, or ``template`` with a cookie."""
        header = Header(self.chance.randbytes(8), NO_SPI, 34, True, False, 0)
        fresh = Nonce(self.chance.randbytes(32))
        payloads = [fresh if isinstance(p, Nonce) else p for p in self.model.payloads]
        made = template or Message(header, tuple(payloads))
        notify = [Notify(NotifyType.COOKIE, cookie)] if cookie else []
        return Message(made.header, (*notify, *made.payloads))

    def send(self, message: Message, source: Endpoint) -> list[Datagram]:
        """What bob answers."""
        bob = self.network.bob
        bob.engine.receive_datagram(message.encode(), bob.endpoint, source, self.network.now)
        answers = [each for each in bob.engine.context.outbox if each.remote == source]
        bob.engine.context.outbox = [
            each for each in bob.engine.context.outbox if each.remote != source
        ]
        return answers

    def begin(self, source: Endpoint) -> bool:
        """Begin an IKE SA as somebody who can hear bob's answers; false if bob does not let us."""
        first = self.request()
        answers = self.send(first, source)
        if answers and (cookie := Message.decode(answers[0].octets).notify(NotifyType.COOKIE)):
            answers = self.send(self.request(cookie.data, first), source)
        return any(Message.decode(each.octets).header.spi_r != NO_SPI for each in answers)


def held(network: Network) -> int:
    """Half-open IKE SAs of bob."""
    return network.bob.ike_sas().count("HALF_OPEN")


def test_forged_addresses_get_as_far_as_a_cookie(network: Network) -> None:
    flooder, settings = Flooder(network), Settings()
    cookies = 0
    for number in range(3000):
        source = Endpoint(network.alice.endpoint.host, 1024 + number)
        (answer,) = flooder.send(flooder.request(), source)
        if Message.decode(answer.octets).notify(NotifyType.COOKIE):
            cookies += 1
            assert len(answer.octets) < 100, "a flood is no longer than what began it"
    assert held(network) == len(network.bob.engine.registry) == settings.cookie_threshold
    assert cookies == 3000 - settings.cookie_threshold
    some = settings.cookie_threshold
    assert network.bob.contexts() == network.bob.in_tkm() == {"ae": some, "isa": some}
    network.run(settings.half_open + settings.linger + 1)
    assert not network.bob.engine.registry
    assert network.bob.contexts() == network.bob.in_tkm() == {}


@pytest.mark.parametrize("side", ["alice", "bob"])
def test_a_real_peer_gets_through_the_flood(network: Network, side: str) -> None:
    flooder = Flooder(network)

    def flood(datagram: Datagram) -> list[bytes]:
        for _ in range(100):
            port = flooder.chance.randrange(1024, 65536)
            flooder.send(flooder.request(), Endpoint(network.alice.endpoint.host, port))
        return [datagram.octets]

    network.meddler = flood
    network.ping(getattr(network, side))
    network.run_until(network.is_up, seconds=3)
    assert held(network) <= Settings().cookie_threshold


def test_who_shows_its_address_keeps_nobody_else_out() -> None:
    """An attacker with an address of its own, and room for less than it wants."""
    network = Network(settings=FEW)
    mallory, bob = "203.0.113.7", network.bob.engine
    put(network.bob, remote_addrs=(network.alice.endpoint.host, mallory))
    flooder = Flooder(network)
    begun = [flooder.begin(Endpoint(mallory, 1024 + number)) for number in range(20)]
    assert begun == [number < FEW.half_open_limit for number in range(20)], "the first keep theirs"
    assert held(network) == len(bob.registry) == FEW.half_open_limit
    assert network.bob.in_tkm() == {"ae": FEW.half_open_limit, "isa": FEW.half_open_limit}

    def on_the_way(datagram: Datagram) -> list[bytes]:
        if Header.decode(datagram.octets)[0].exchange == ExchangeType.IKE_AUTH:
            for number in range(20):
                flooder.begin(Endpoint(mallory, 2000 + number))
        return [datagram.octets]

    network.meddler = on_the_way
    network.ping(network.alice)
    network.run_until(network.is_up, seconds=3)
    assert len(bob.registry) == FEW.half_open_limit + 1
    network.run(100)
    assert network.bob.in_tkm() == {"ae": 1, "isa": 1, "esa": 1}


def ports(network: Network) -> set[int]:
    """The peers' ports of bob's half-open IKE SAs."""
    return {sa.channel.remote.port for sa in network.bob.engine.registry.values()}


def test_who_takes_too_long_makes_room_the_oldest_first() -> None:
    network = Network(settings=FEW)
    flooder, host = Flooder(network), network.alice.endpoint.host
    for number in range(FEW.half_open_limit):
        assert flooder.begin(Endpoint(host, 1024 + number))
        network.run(0.5)
    network.run(FEW.half_open_grace - 4.1)
    assert not flooder.begin(Endpoint(host, 2000)), "the oldest is not old enough"
    network.run(0.3)
    assert flooder.begin(Endpoint(host, 2000))
    assert not flooder.begin(Endpoint(host, 2001)), "the next one is not"
    assert ports(network) == {2000, *range(1025, 1024 + FEW.half_open_limit)}


@pytest.mark.parametrize(("own", "served"), [(0, True), (2, True), (3, False), (5, False)])
def test_a_network_that_has_far_more_than_the_newcomers_makes_room(own: int, served: bool) -> None:
    """Of eight places, five to three are a fair share, and six to two are not."""
    network = Network(settings=FEW)
    there, here = "203.0.113.7", "203.0.113.8"
    put(network.bob, remote_addrs=(there, here))
    flooder = Flooder(network)
    for number in range(FEW.half_open_limit):
        assert flooder.begin(Endpoint(here if number < own else there, 1024 + number))
    assert flooder.begin(Endpoint(here, 2000)) is served
    begun = set(range(1024, 1024 + FEW.half_open_limit))
    assert ports(network) == (begun - {1024 + own} | {2000} if served else begun)


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_of_many_clients_that_come_at_once_all_come_up(loss: float) -> None:
    """At length, and a thousand of them: bench/crowd.py."""
    with short_groups():
        crowd = Crowd(40, FEW, Weather(loss=loss, delays=(0.02, 0.06)))
        crowd.come()
        crowd.run(120)
    assert crowd.up() == 40


def test_what_has_failed_makes_room_first() -> None:
    network = Network(settings=FEW)
    flooder, engine = Flooder(network), network.bob.engine
    for number in range(FEW.half_open_limit):
        flooder.begin(Endpoint(network.alice.endpoint.host, 1024 + number))
    *others, last = engine.registry.values()
    last.close("it has failed", wanted=False)
    flooder.begin(Endpoint(network.alice.endpoint.host, 2000))
    assert last not in engine.registry.values()
    assert set(others) < set(engine.registry.values())
    assert len(engine.registry) == FEW.half_open_limit


def test_most_contexts_of_the_tkm_are_for_peers_that_are_authenticated(network: Network) -> None:
    network.bob.tkm.pools["isa"].limit = 32
    flooder = Flooder(network)
    begun = [flooder.begin(Endpoint(network.alice.endpoint.host, 1024 + n)) for n in range(8)]
    assert begun == [True] * 4 + [False] * 4
