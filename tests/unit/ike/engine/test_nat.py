# SPDX-License-Identifier: GPL-2.0-or-later
"""NAT traversal (RFC 7296, 2.23; RFC 3948): port 4500, keepalives, peers that move, UDP for ESP."""

from collections.abc import Mapping
from typing import Any

import pytest

from ike.address import Endpoint
from ike.engine.channel import Channel
from ike.engine.context import Datagram
from ike.engine.route import KEEPALIVE, NON_ESP_MARKER, Nats
from ike.message.header import Header
from ike.message.numbers import ExchangeType
from ike.vici import sas
from tests.unit.ike.engine.test_modes import NETS, NETS6, agreed, child_of
from tests.unit.ike.nat_box import OUTSIDE, OUTSIDE6
from tests.unit.ike.network import FINE, IPV4, IPV6, STORM, Network, Side, rekey_ike_sa

ALICE = {"alice": OUTSIDE["alice"]}
BOB = {"bob": OUTSIDE["bob"]}
IKE_PORT, NAT_PORT = 500, 4500
KE = {"ike": "aes256-sha512-modp3072-ke1_modp4096"}


def up(who: str = "alice", **options: Any) -> Network:
    network = Network(**options)
    network.ping(getattr(network, who))
    network.run_until(network.is_up)
    network.run(1)
    return network


def channel(side: Side) -> Channel:
    (sa,) = side.engine.sas()
    return sa.channel


def encap(side: Side) -> list[tuple[int, int] | None]:
    """The UDP ports of each Child SA in the kernel."""
    return [pair.encap for pair in side.kernel.pairs.values()]


def exchange(datagram: Datagram) -> int:
    """The exchange type of a datagram; 0: a keepalive."""
    if datagram.octets == KEEPALIVE:
        return 0
    marked = datagram.local.port == NAT_PORT
    assert datagram.octets.startswith(NON_ESP_MARKER) == marked
    return Header.decode(datagram.octets[4 * marked :])[0].exchange


def rekey_child(network: Network, side: Side) -> None:
    side.engine.rekey_child_sa(child_of(side).spi_local, network.now)


# Floating


@pytest.mark.parametrize("options", [{}, KE, {"fragmentation": True}], ids=["", "ke1", "fragments"])
def test_the_initiator_goes_over_to_the_other_port(options: Mapping[str, Any]) -> None:
    network = up(outside=ALICE, **options)
    for datagram in network.sent:
        first = exchange(datagram) == ExchangeType.IKE_SA_INIT
        assert datagram.local.port == (IKE_PORT if first else NAT_PORT)
    ike, esp = network.boxes["alice"].port(IKE_PORT), network.boxes["alice"].port(NAT_PORT)
    assert {d.remote.port for d in network.sent if d.local.host == IPV4["bob"]} == {ike, esp}
    assert channel(network.bob).remote == Endpoint(OUTSIDE["alice"], esp)
    assert channel(network.alice).route.nats == Nats(local=True)
    assert channel(network.bob).route.nats == Nats(remote=True)
    assert encap(network.alice) == [(NAT_PORT, NAT_PORT)]
    assert encap(network.bob) == [(NAT_PORT, esp)]


def test_without_a_nat_all_stays_as_it_was() -> None:
    network = up(settings=None)
    network.run(100)
    assert {d.local.port for d in network.sent} == {IKE_PORT}
    assert KEEPALIVE not in [d.octets for d in network.sent]
    assert encap(network.alice) == encap(network.bob) == [None]


@pytest.mark.parametrize(
    ("addresses", "outside", "nets"),
    [(IPV4, OUTSIDE, NETS), (IPV6, OUTSIDE6, NETS6), (IPV6, OUTSIDE6, None), (IPV4, OUTSIDE, None)],
    ids=["tunnel, IPv4", "tunnel, IPv6", "transport, IPv6", "transport, IPv4"],
)
@pytest.mark.parametrize("behind", [("alice",), ("bob",), ("alice", "bob")])
def test_wherever_the_nat_is(
    behind: tuple[str, ...],
    addresses: Mapping[str, str],
    outside: Mapping[str, str],
    nets: Mapping[str, str] | None,
) -> None:
    seen = {name: outside[name] for name in behind}
    network = up(addresses=addresses, outside=seen, nets=nets, forwards="bob" in behind)
    for side, other in (network.sides, network.sides[::-1]):
        nats = Nats(local=side.name in behind, remote=other.name in behind)
        assert channel(side).route.nats == nats
        assert channel(side).remote.host == seen.get(other.name, addresses[other.name])
        assert None not in encap(side)
        ends = addresses[side.name], seen.get(other.name, addresses[other.name])
        host = "/128" if ":" in ends[0] else "/32"
        own = (nets[side.name], nets[other.name]) if nets else tuple(end + host for end in ends)
        assert agreed(side) == own, "each side has selectors for the packets that it sees"
    for side in network.sides:
        rekey_child(network, side)
        network.run(1)
        assert network.is_up()
        assert None not in encap(side)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_rekeying_keeps_it(who: str) -> None:
    network = up(outside=ALICE)
    before = encap(network.bob), channel(network.bob).route.nats
    for rekey in (rekey_child, rekey_ike_sa, rekey_child):
        rekey(network, getattr(network, who))
        network.run(1)
        assert network.is_up()
        assert (encap(network.bob), channel(network.bob).route.nats) == before
        assert encap(network.alice) == [(NAT_PORT, NAT_PORT)]


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_reauthentication_goes_the_way_that_is_open(who: str) -> None:
    network = up(outside=ALICE)
    side, since = getattr(network, who), len(network.sent)
    (old,) = side.engine.sas()
    side.engine.reauthenticate(old.id, network.now)
    network.run(5)
    assert network.is_up()
    assert [sa.channel.route.nats for sa in network.bob.engine.sas()] == [Nats(remote=True)]
    assert channel(side).spis != old.channel.spis
    assert {d.local.port for d in network.sent[since:]} == {NAT_PORT}
    assert encap(network.alice) == [(NAT_PORT, NAT_PORT)]


@pytest.mark.parametrize("wants", ["alice", "bob"])
def test_udp_where_one_side_wants_it(wants: str) -> None:
    network = up(own={wants: {"encap": True}})
    assert encap(network.alice) == encap(network.bob) == [(NAT_PORT, NAT_PORT)]
    for side in network.sides:
        nats = Nats(faked=True) if side.name == wants else Nats(remote=True)
        assert channel(side).route.nats == nats
    network.run(100)
    assert KEEPALIVE not in [d.octets for d in network.sent]


@pytest.mark.parametrize(
    ("options", "alice", "bob"),
    [
        ({}, "", ""),
        ({"outside": ALICE}, "nat-local nat-any", "nat-remote nat-any"),
        ({"own": {"alice": {"encap": True}}}, "nat-fake nat-any", "nat-remote nat-any"),
    ],
)
def test_what_list_sas_says(options: Mapping[str, Any], alice: str, bob: str) -> None:
    network = up(**options)
    for side, expected in zip(network.sides, (alice, bob), strict=True):
        (sa,) = side.engine.sas()
        listed = sas.ike_sa(sa, network.now)
        found = {key: value for key, value in listed.items() if key.startswith("nat-")}
        assert found == dict.fromkeys(expected.split(), "yes")
        assert listed["remote-port"] == str(sa.channel.remote.port)
        child = sas.child_sa(child_of(side), network.now)
        assert child.get("encap") == ("yes" if expected else None)


# Keepalives


def test_keepalives_by_who_is_behind_the_nat() -> None:
    network = up(outside=ALICE)
    network.run(70)
    sent = [d for d in network.sent if d.octets == KEEPALIVE]
    assert len(sent) == 3
    assert {(d.local, d.remote) for d in sent} == {
        (Endpoint(IPV4["alice"], NAT_PORT), Endpoint(IPV4["bob"], NAT_PORT))
    }
    assert network.is_up()


def test_no_keepalives_while_something_else_is_sent() -> None:
    network = up(outside=ALICE, dpd_delay=15)
    network.run(200)
    assert KEEPALIVE not in [d.octets for d in network.sent]


def test_keepalives_whoever_replays_what_he_has_seen() -> None:
    network = up(outside=ALICE)
    rekey_ike_sa(network, network.bob)
    network.run(1)
    since, local = len(network.sent), channel(network.alice).local
    requests = [d for d in network.sent if d.local.host == IPV4["bob"]]
    for _ in range(10):
        network.run(6)
        for datagram in requests:
            elsewhere = Endpoint(IPV4["bob"], 33333)
            network.alice.engine.receive_datagram(datagram.octets, local, elsewhere, network.now)
    sent = [d for d in network.sent[since:] if d.remote.port == NAT_PORT]
    assert [d.octets for d in sent] == [KEEPALIVE] * 3
    assert len(network.sent) > since + 3, "the last request is answered, to where it came from"


def test_one_row_of_keepalives_across_rekeying() -> None:
    network = up(outside=ALICE)
    rekey_ike_sa(network, network.bob)
    network.run(1)
    since = len(network.sent)
    network.run(61)
    assert [d.octets for d in network.sent[since:]] == [KEEPALIVE] * 3


def test_no_keepalives_for_an_ike_sa_that_is_gone() -> None:
    network = up(outside=ALICE)
    network.alice.engine.terminate("test", network.now)
    network.run(1)
    since = len(network.sent)
    network.run(100)
    assert network.sent[since:] == []


# Peers that move


@pytest.mark.parametrize("nets", [None, NETS], ids=["transport", "tunnel"])
def test_the_nat_forgets_and_the_other_side_follows(nets: Mapping[str, str] | None) -> None:
    network = up(outside=ALICE, nets=nets, own={"alice": {"dpd_delay": 30}})
    before = encap(network.bob)
    network.boxes["alice"].forget()
    network.run(40)
    port = network.boxes["alice"].port(NAT_PORT)
    assert channel(network.bob).remote == Endpoint(OUTSIDE["alice"], port)
    assert network.is_up()
    assert encap(network.bob) == [(NAT_PORT, port)] != before
    assert [side.contexts() for side in network.sides] == [{"ae": 1, "isa": 1, "esa": 1}] * 2


def test_a_request_that_is_out_goes_to_the_new_port() -> None:
    network = up(outside=ALICE)
    network.boxes["alice"].forget()
    rekey_child(network, network.bob)
    network.run(0.5)
    lost, since = network.sent[-1], len(network.sent)
    rekey_ike_sa(network, network.alice)
    network.run(5)
    (again,) = {d.remote.port for d in network.sent[since:] if d.octets == lost.octets}
    assert again == network.boxes["alice"].port(NAT_PORT) != lost.remote.port
    network.run(10)
    assert network.is_up()


def arrive_from(network: Network, side: Side, datagram: Datagram, source: Endpoint) -> None:
    """A datagram gets to ``side`` from somewhere else."""
    local = channel(side).local
    side.engine.receive_datagram(datagram.octets, local, source, network.now)


def liveness(network: Network, side: Side) -> Datagram:
    """A new request of ``side``, which does not arrive."""
    network.weather = FINE._replace(loss=1.0)
    rekey_child(network, side)
    network.run(0.1)
    network.weather = FINE
    return network.sent[-1]


@pytest.mark.parametrize(
    ("options", "follows"),
    [
        ({"outside": ALICE}, True),
        ({}, False),
        ({"outside": {**ALICE, **BOB}, "forwards": True}, False),
        ({"outside": BOB, "forwards": True}, False),
        ({"own": {"bob": {"encap": True}}}, False),
    ],
    ids=["peer behind", "no NAT", "both behind", "we behind", "faked"],
)
def test_only_who_is_not_behind_a_nat_follows(options: Mapping[str, Any], *, follows: bool) -> None:
    network = up(**options)
    route = channel(network.bob).route
    before = route.path
    elsewhere = Endpoint(before.remote.host, 33333)
    request = liveness(network, network.alice)
    arrive_from(network, network.bob, request, elsewhere)
    assert route.path.remote == (elsewhere if follows else before.remote)
    answers = network.bob.engine.context.outbox
    assert answers[0].remote == elsewhere, "the response goes where the request came from (2.11)"


def test_nobody_follows_to_an_address_that_is_not_configured() -> None:
    network = up(outside=ALICE)
    before = channel(network.bob).route.path
    request = liveness(network, network.alice)
    arrive_from(network, network.bob, request, Endpoint("192.0.2.66", 33333))
    assert channel(network.bob).route.path == before


def test_old_messages_from_elsewhere_move_nobody() -> None:
    network = up(outside=ALICE)
    before = channel(network.bob).route.path
    elsewhere = before.remote._replace(port=33333)
    for datagram in [d for d in network.sent if d.local.host == IPV4["alice"]]:
        arrive_from(network, network.bob, datagram, elsewhere)
        arrive_from(network, network.bob, datagram._replace(octets=KEEPALIVE), elsewhere)
        forged = datagram.octets[:-1] + bytes((datagram.octets[-1] ^ 1,))
        arrive_from(network, network.bob, datagram._replace(octets=forged), elsewhere)
    assert channel(network.bob).route.path == before
    assert encap(network.bob) == [(NAT_PORT, before.remote.port)]


def test_responses_move_the_peer_too() -> None:
    network = up(outside=ALICE)
    rekey_child(network, network.bob)
    network.run(0.015)
    answer = network.sent[-1]
    assert answer.local.host == IPV4["alice"]
    elsewhere = Endpoint(OUTSIDE["alice"], 33333)
    arrive_from(network, network.bob, answer, elsewhere)
    assert channel(network.bob).remote == elsewhere


def test_what_is_neither_ike_nor_a_keepalive(caplog: pytest.LogCaptureFixture) -> None:
    network = up(outside=ALICE)
    local, remote = channel(network.bob).route.path
    before = network.bob.engine.status()
    caplog.set_level("INFO", "ike")
    for octets in (b"", b"\0", bytes(3), bytes(4), bytes(31), b"\xff\xff", b"ESP" * 20):
        network.bob.engine.receive_datagram(octets, local, remote, network.now)
    assert network.bob.engine.status() == before
    assert len(caplog.messages) == 7
    assert network.bob.engine.datagrams_to_send() == []


@pytest.mark.parametrize("seed", range(30))
def test_storm(seed: int) -> None:
    """A NAT that forgets again and again, in bad weather; then it calms down, and all is well."""
    behind = (ALICE, {**ALICE, **BOB}, BOB)[seed % 3]
    network = Network(
        seed,
        weather=STORM,
        outside=behind,
        forwards="bob" in behind,
        nets=NETS if seed % 2 else None,
        dpd_delay=10.0,
        esp=("aes256-sha512-esn-noesn", "aes256-sha512-modp3072")[seed // 2 % 2],
        fragmentation=True,
    )
    network.ping(network.alice)
    for _ in range(6):
        network.run(network.chance.uniform(1, 40))
        for box in network.boxes.values():
            box.forget()
        for side in network.sides:
            for sa in side.engine.sas():
                if sa.state.name == "ESTABLISHED" and network.chance.random() < 0.5:
                    side.engine.rekey_ike_sa(sa.id, network.now)
    network.weather = FINE
    network.run(400)
    network.ping(network.alice)
    network.run(60)
    assert network.is_up()
    for side in network.sides:
        assert side.in_tkm() == side.contexts()
        (established,) = {sa.channel.route.encap for sa in side.engine.sas()}
        assert set(encap(side)) == {established}
        assert {pair.esn for pair in side.kernel.pairs.values()} == {seed // 2 % 2 == 0}
