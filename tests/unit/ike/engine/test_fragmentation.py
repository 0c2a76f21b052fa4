# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages in fragments (RFC 7383), on networks of every kind, and with forged ones among them."""

import random
from collections.abc import Callable

import pytest

from ike.engine import fragmentation
from ike.engine.context import Arrival, Datagram, Settings
from ike.engine.fragmentation import LONGEST, MOST_FRAGMENTS, Reassembly, Whole
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payloads import Encrypted, EncryptedFragment
from tests.unit.ike.engine.test_setup import put
from tests.unit.ike.network import Network, Side, Weather

IP_AND_UDP = 28


@pytest.fixture
def network() -> Network:
    return Network(fragmentation=True)


def fragment_of(datagram: Datagram) -> EncryptedFragment | None:
    payload = Message.decode(datagram.octets).payloads[-1:]
    return payload[0] if payload and isinstance(payload[0], EncryptedFragment) else None


def held(network: Network) -> int:
    """Octets that wait for others, on both sides."""
    return sum(
        reassembly.held
        for side in network.sides
        for sa in side.engine.sas()
        for reassembly in sa.channel._fragments.values()
    )


def test_long_messages_travel_in_fragments(network: Network) -> None:
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()
    auth = [d for d in network.sent if Header.decode(d.octets)[0].exchange == ExchangeType.IKE_AUTH]
    assert all(len(datagram.octets) + IP_AND_UDP <= 576 for datagram in auth)
    for side in network.sides:
        fragments = [fragment_of(d) for d in auth if d.local == side.endpoint]
        numbers = [(f.number, f.total, f.first > 0) for f in fragments if f]
        total = len(fragments)
        assert total > 2
        assert numbers == [(number, total, number == 1) for number in range(1, total + 1)]
    assert held(network) == 0


def test_short_messages_do_not(network: Network) -> None:
    network.ping(network.alice)
    network.run(1)
    since = len(network.sent)
    network.alice.engine.terminate("test", network.now)
    network.run(1)
    assert not any(map(fragment_of, network.sent[since:]))
    assert network.alice.engine.is_idle


@pytest.mark.parametrize("longest", [*range(576, 592), 1280, 9000])
def test_no_datagram_is_longer_than_it_may_be(longest: int) -> None:
    network = Network(fragmentation=True, settings=Settings(ipv4_datagram=longest))
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()
    lengths = [len(d.octets) + IP_AND_UDP for d in network.sent if fragment_of(d)]
    assert bool(lengths) == (longest < 9000)
    assert max(lengths, default=longest) <= longest
    assert max(lengths, default=longest) > longest - 20, "they are as long as they may be"


def test_sizes_by_address_family() -> None:
    assert fragmentation.limit("192.0.2.1", Settings()) == 576 - 20 - 8 - 4
    assert fragmentation.limit("2001:db8::1", Settings()) == 1280 - 40 - 8 - 4


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_not_unless_both_sides_want_it(network: Network, name: str) -> None:
    put(getattr(network, name), fragmentation=False)
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()
    assert not any(map(fragment_of, network.sent))
    request, response = (Message.decode(datagram.octets) for datagram in network.sent[:2])
    assert bool(request.notify(NotifyType.FRAGMENTATION_SUPPORTED)) == (name == "bob")
    assert not response.notify(NotifyType.FRAGMENTATION_SUPPORTED)


def test_fragments_that_were_not_agreed_on_are_dropped(network: Network) -> None:
    network.ping(network.alice)
    network.run(0.015)
    (sa,) = network.bob.engine.sas()
    sa.channel.fragment_limit = None
    network.run(0.5)
    assert network.bob.ike_sas() == ["HALF_OPEN"]


@pytest.mark.parametrize("lost", range(12))
def test_each_fragment_may_get_lost_and_all_are_sent_again(lost: int) -> None:
    network = Network(fragmentation=True)
    count = iter(range(10000))
    network.meddler = lambda datagram: [] if next(count) == lost else [datagram.octets]
    network.ping(network.alice)
    network.run_until(network.is_up, 5)
    assert held(network) == 0


@pytest.mark.parametrize("order", ["backwards", "twice", "at random"])
def test_order_and_duplicates_do_not_matter(network: Network, order: str) -> None:
    chance = random.Random(1)
    waiting: list[bytes] = []

    def shuffle(datagram: Datagram) -> list[bytes]:
        fragment = fragment_of(datagram)
        if not fragment:
            return [datagram.octets]
        waiting.append(datagram.octets)
        if fragment.number < fragment.total:
            return []
        octets = waiting[::-1] if order == "backwards" else waiting * 2
        waiting.clear()
        return chance.sample(octets, len(octets)) if order == "at random" else octets

    network.meddler = shuffle
    network.ping(network.alice)
    network.run(0.1)
    assert network.is_up()
    assert held(network) == 0


@pytest.mark.parametrize("seed", range(10))
def test_on_a_bad_network(seed: int) -> None:
    weather = Weather(loss=0.15, duplication=0.2, delays=(0.01, 0.5))
    network = Network(seed, weather, fragmentation=True)
    network.ping(network.alice)
    network.run_until(network.is_up)


def test_rekeyed_ike_sas_cut_as_well(network: Network) -> None:
    network.ping(network.alice)
    network.run(1)
    network.alice.engine.rekey_ike_sa(1, network.now)
    network.run(1)
    since = len(network.sent)
    network.bob.engine.rekey_ike_sa(2, network.now)
    network.run(1)
    assert any(map(fragment_of, network.sent[since:]))
    assert [side.ike_sas() for side in network.sides] == [["ESTABLISHED"]] * 2


def test_a_response_is_repeated_for_the_first_fragment_only(network: Network) -> None:
    network.ping(network.alice)
    network.run(1)
    requests = [d for d in network.sent if fragment_of(d) and d.local == network.alice.endpoint]
    answers = [d for d in network.sent if fragment_of(d) and d.local == network.bob.endpoint]
    for number, datagram in enumerate(requests):
        deliver(network, network.bob, datagram.octets)
        repeated = network.bob.engine.datagrams_to_send()
        assert repeated == (answers if number == 0 else [])


def deliver(network: Network, side: Side, octets: bytes) -> None:
    (other,) = (each for each in network.sides if each is not side)
    side.engine.receive_datagram(octets, side.endpoint, other.endpoint, network.now)


def cut_anew(network: Network, longest: int) -> list[bytes]:
    """The IKE_AUTH request that alice has out, cut once more."""
    (sa,) = network.alice.engine.sas()
    reader = network.bob.engine.sas()[0].channel
    opened = [d.octets for d in network.alice.engine.context.outbox if fragment_of(d)]
    assert opened
    message = None
    for octets in opened:
        message = reader.open(Arrival(*Header.decode(octets), octets, reader.route.path))
    assert message
    reader._fragments[False].clear()
    sa.channel.fragment_limit = longest
    return list(sa.channel._encode(message))


@pytest.fixture
def halfway(network: Network) -> Network:
    """alice has sent IKE_AUTH, bob has not got it."""
    network.ping(network.alice)
    network.run(0.015)
    network.now += 0.006
    network.alice.engine.receive_datagram(
        network.sent[-1].octets, network.alice.endpoint, network.bob.endpoint, network.now
    )
    return network


def test_more_and_shorter_fragments_replace_those_that_came(halfway: Network) -> None:
    fragments = [d.octets for d in halfway.alice.engine.context.outbox]
    shorter = cut_anew(halfway, 300)
    assert len(shorter) > len(fragments)
    (sa,) = halfway.bob.engine.sas()
    for octets in fragments[1:]:
        deliver(halfway, halfway.bob, octets)
    before = sa.channel._fragments[False].held
    deliver(halfway, halfway.bob, shorter[0])
    assert 0 < sa.channel._fragments[False].held < before
    deliver(halfway, halfway.bob, fragments[0])
    assert halfway.bob.ike_sas() == ["HALF_OPEN"], "those of the first cut are out of date"
    for octets in shorter[1:]:
        deliver(halfway, halfway.bob, octets)
    assert halfway.bob.ike_sas() == ["ESTABLISHED"]


def test_a_request_that_is_cut_anew_is_answered_again(halfway: Network) -> None:
    fragments = [d.octets for d in halfway.alice.engine.context.outbox]
    shorter = cut_anew(halfway, 300)
    for octets in fragments:
        deliver(halfway, halfway.bob, octets)
    answer = halfway.bob.engine.datagrams_to_send()
    assert halfway.bob.ike_sas() == ["ESTABLISHED"]
    for number, octets in enumerate(shorter):
        deliver(halfway, halfway.bob, octets)
        repeated = halfway.bob.engine.datagrams_to_send()
        assert repeated == (answer if number == 0 else [])
    deliver(halfway, halfway.bob, shorter[0][:-1] + bytes((shorter[0][-1] ^ 1,)))
    assert halfway.bob.engine.datagrams_to_send() == []


def test_a_whole_message_replaces_its_fragments(halfway: Network) -> None:
    fragments = [d.octets for d in halfway.alice.engine.context.outbox]
    (whole,) = cut_anew(halfway, 100000)
    assert isinstance(Message.decode(whole).payloads[0], Encrypted)
    for octets in fragments[1:]:
        deliver(halfway, halfway.bob, octets)
    deliver(halfway, halfway.bob, whole)
    assert halfway.bob.ike_sas() == ["ESTABLISHED"]
    assert held(halfway) == 0
    halfway.bob.engine.datagrams_to_send()
    deliver(halfway, halfway.bob, whole)
    assert halfway.bob.engine.datagrams_to_send()


def renumbered(octets: bytes, number: int, total: int) -> bytes:
    at = Header.LENGTH + 4
    return octets[:at] + number.to_bytes(2, "big") + total.to_bytes(2, "big") + octets[at + 4 :]


FORGERIES: dict[str, Callable[[bytes, EncryptedFragment], list[bytes]]] = {
    "more of them": lambda octets, f: [renumbered(octets, f.number, f.total + 1)],
    "fewer of them": lambda octets, f: [renumbered(octets, 1, 1)],
    "in other places": lambda octets, f: [
        renumbered(octets, n, f.total) for n in range(1, f.total + 1) if n != f.number
    ],
    "without end": lambda octets, f: [renumbered(octets, n, 65535) for n in range(2, 40)],
    "impossible": lambda octets, f: [renumbered(octets, 0, 3), renumbered(octets, 4, 3)],
    "empty": lambda octets, f: [octets[:24] + (36).to_bytes(4, "big") + octets[28:36]],
}


@pytest.mark.parametrize("how", FORGERIES)
def test_forged_fragments_change_nothing(network: Network, how: str) -> None:
    forged = 0

    def attack(datagram: Datagram) -> list[bytes]:
        nonlocal forged
        fragment = fragment_of(datagram)
        if fragment:
            before = held(network)
            for octets in FORGERIES[how](datagram.octets, fragment):
                forged += 1
                for side in network.sides:
                    deliver(network, side, octets)
            assert held(network) == before
        return [datagram.octets]

    network.meddler = attack
    network.ping(network.alice)
    network.run(0.1)
    assert network.is_up()
    assert forged > 4


# The bounds


def fragment(number: int, total: int, size: int = 10) -> EncryptedFragment:
    return EncryptedFragment(35 if number == 1 else 0, number, total, bytes(size))


def add(reassembly: Reassembly, piece: EncryptedFragment, message_id: int = 1) -> Whole | None:
    assert reassembly.wants(message_id, piece)
    return reassembly.add(message_id, piece, b"%d" % piece.number, b"datagram")


def test_the_last_piece_makes_it_whole() -> None:
    reassembly = Reassembly()
    for number in (3, 1):
        assert add(reassembly, fragment(number, 3)) is None
    assert reassembly.held == 2
    assert add(reassembly, fragment(2, 3)) == Whole(35, b"123")
    assert (reassembly.held, reassembly.leader) == (0, b"datagram")


def test_another_message_replaces_what_there_is() -> None:
    reassembly = Reassembly()
    add(reassembly, fragment(1, 3))
    add(reassembly, fragment(2, 2), message_id=2)
    assert (reassembly.held, reassembly.leader) == (1, b"")


@pytest.mark.parametrize(
    "unwanted",
    [
        fragment(1, 3),
        fragment(2, 2),
        fragment(2, MOST_FRAGMENTS + 1),
        fragment(2, 3, LONGEST),
        fragment(2, 4, LONGEST + 1),
    ],
    ids=["duplicate", "of fewer", "of too many", "too long together", "too long"],
)
def test_what_is_not_worth_opening(unwanted: EncryptedFragment) -> None:
    reassembly = Reassembly()
    add(reassembly, fragment(1, 3))
    assert not reassembly.wants(1, unwanted)


def test_memory_is_bounded_whatever_the_peer_sends() -> None:
    reassembly = Reassembly()
    for total in range(2, 200):
        for number in range(2, total + 1):
            piece = fragment(number, total, 1 + 37 * number)
            if reassembly.wants(1, piece):
                reassembly.add(1, piece, bytes(len(piece.protected)), b"")
            assert reassembly.held <= LONGEST
            assert len(reassembly._pieces) <= MOST_FRAGMENTS
