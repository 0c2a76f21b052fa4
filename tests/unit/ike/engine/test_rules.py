# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules of RFC 7296 that two of our own could break together without noticing."""

from types import SimpleNamespace

import pytest

from ike import address
from ike.engine import ike_auth, selectors
from ike.engine.context import Datagram
from ike.engine.events import ChildSaFailed, ChildSaRemoved, IkeSaClosed
from ike.identity import Identity
from ike.message.header import Header
from ike.message.numbers import ExchangeType
from tests.unit.ike.network import Network, Side
from tkm.core.handlers import key_exchange

LOW, MIDDLE, HIGH, HIGHER = (bytes((octet,)) * 32 for octet in (0x01, 0x80, 0xF0, 0xF8))


def outbound_expires(network: Network, side: Side) -> None:
    (child,) = side.engine.context.children.values()
    side.engine.expire(1, child.spi_remote, hard=False, now=network.now)


def set_nonces(monkeypatch: pytest.MonkeyPatch, *nonces: bytes) -> None:
    """The next nonces of both TKMs, in the order in which they are asked for."""
    queue = iter(nonces)
    urandom = SimpleNamespace(urandom=lambda _: next(queue))
    monkeypatch.setattr(key_exchange, "os", urandom)


@pytest.mark.parametrize(
    ("nonces", "loser"),
    [
        ((LOW, MIDDLE, HIGH, HIGHER), "alice"),
        ((MIDDLE, LOW, HIGH, HIGHER), "bob"),
        # Nonces three and four are those of the answers: bob's to alice, alice's to bob.
        ((HIGH, HIGHER, LOW, MIDDLE), "alice"),
        ((HIGH, HIGHER, MIDDLE, LOW), "bob"),
    ],
)
def test_the_child_sa_of_the_lowest_nonce_is_deleted_by_who_asked_for_it(
    connected: Network, monkeypatch: pytest.MonkeyPatch, nonces: tuple[bytes, ...], loser: str
) -> None:
    set_nonces(monkeypatch, *nonces)
    for side in connected.sides:
        outbound_expires(connected, side)
    connected.run(5)
    gave_up = [
        side.name
        for side in connected.sides
        for event in side.events
        if isinstance(event, ChildSaRemoved) and "rekeyed it, too" in event.reason
    ]
    assert gave_up == [loser]


@pytest.mark.parametrize(
    ("nonces", "loser"),
    [((LOW, MIDDLE, HIGH, HIGHER), "alice"), ((HIGH, HIGHER, MIDDLE, LOW), "bob")],
)
def test_the_ike_sa_of_the_lowest_nonce_is_deleted_by_who_asked_for_it(
    connected: Network, monkeypatch: pytest.MonkeyPatch, nonces: tuple[bytes, ...], loser: str
) -> None:
    set_nonces(monkeypatch, *nonces)
    for side in connected.sides:
        (sa,) = side.engine.sas()
        side.engine.rekey_ike_sa(sa.id, connected.now)
    connected.run(5)
    gave_up = [
        side.name
        for side in connected.sides
        for event in side.events
        if isinstance(event, IkeSaClosed) and "redundant" in event.reason
    ]
    assert gave_up == [loser]


def hold_bobs(network: Network, *kinds: tuple[ExchangeType, bool]) -> None:
    """Lose messages of bob, by their exchange and whether they are responses."""

    def meddle(datagram: Datagram) -> list[bytes]:
        header = Header.decode(datagram.octets)[0]
        from_bob = datagram.local == network.bob.endpoint
        return [] if from_bob and (header.exchange, header.response) in kinds else [datagram.octets]

    network.meddler = meddle


ANSWERS, DELETIONS = (ExchangeType.CREATE_CHILD_SA, True), (ExchangeType.INFORMATIONAL, False)


def test_the_peers_ike_sa_is_rekeyed_in_turn_before_ours_is_settled(
    connected: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_nonces(
        monkeypatch,
        LOW,
        MIDDLE,
        HIGH,
        HIGHER,
        *(bytes((octet,)) * 32 for octet in range(0xF1, 0xF3)),
    )
    hold_bobs(connected, ANSWERS, DELETIONS)
    for side in connected.sides:
        side.engine.rekey_ike_sa(1, connected.now)
    connected.run(0.1)
    youngest = max(sa.id for sa in connected.bob.engine.sas())
    connected.bob.engine.rekey_ike_sa(youngest, connected.now)
    connected.run(0.1)
    hold_bobs(connected, DELETIONS)
    connected.run(5)
    hold_bobs(connected)
    connected.run(30)
    assert connected.is_up()
    assert [side.ike_sas() for side in connected.sides] == [["ESTABLISHED"]] * 2
    assert [side.contexts() for side in connected.sides] == [{"ae": 1, "isa": 1, "esa": 1}] * 2


def test_the_peers_child_sa_is_rekeyed_in_turn_before_ours_is_settled(
    connected: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_nonces(
        monkeypatch,
        LOW,
        MIDDLE,
        HIGH,
        HIGHER,
        *(bytes((octet,)) * 32 for octet in range(0xF1, 0xF3)),
    )
    hold_bobs(connected, ANSWERS)
    for side in connected.sides:
        outbound_expires(connected, side)
    connected.run(0.1)
    youngest = max(connected.bob.engine.context.children.values(), key=lambda child: child.id)
    connected.bob.engine.rekey_child_sa(youngest.spi_local, connected.now)
    connected.run(0.1)
    hold_bobs(connected)
    connected.run(60)
    assert connected.is_up()
    assert [side.contexts() for side in connected.sides] == [{"ae": 1, "isa": 1, "esa": 1}] * 2


def test_the_responder_of_a_rekeying_switches_when_the_old_child_sa_is_deleted(
    connected: Network, caplog: pytest.LogCaptureFixture
) -> None:
    def no_delete(datagram: Datagram) -> list[bytes]:
        header = Header.decode(datagram.octets)[0]
        return [] if header.exchange == ExchangeType.INFORMATIONAL else [datagram.octets]

    def selected() -> int:
        return sum("Selecting ESA context" in line for line in caplog.messages)

    caplog.set_level("INFO", "tkm")
    connected.meddler = no_delete
    outbound_expires(connected, connected.alice)
    connected.run(0.5)
    assert selected() == 1, "the initiator knows that the responder is ready, not the other way"
    connected.meddler = lambda datagram: [datagram.octets]
    connected.run(5)
    assert selected() == 2


def test_no_child_sa_while_the_ike_sa_is_rekeyed(connected: Network) -> None:
    def hold_alice(datagram: Datagram) -> list[bytes]:
        header = Header.decode(datagram.octets)[0]
        from_alice = datagram.local == connected.alice.endpoint
        return [] if from_alice and not header.response else [datagram.octets]

    before = connected.alice.states()
    connected.meddler = hold_alice
    connected.alice.engine.rekey_ike_sa(1, connected.now)
    outbound_expires(connected, connected.bob)
    connected.run(0.5)
    assert connected.alice.states() == connected.bob.states() == before
    connected.meddler = lambda datagram: [datagram.octets]
    connected.run(60)
    assert connected.is_up()
    assert len(connected.alice.states()) == 2


def test_what_both_delete_is_not_named_in_return(
    connected: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ike")
    for side in connected.sides:
        (spi,) = side.engine.context.children
        side.engine.delete_child_sa(spi, "test", connected.now)
    connected.run(1)
    answers = [m for m in caplog.messages if m.startswith("generating INFORMATIONAL response")]
    assert len(answers) == 2
    assert all(answer.endswith("[  ]") for answer in answers)


def test_requests_of_the_peer_are_signs_of_life() -> None:
    network = Network(dpd_delay=10.0)
    network.ping(network.alice)
    network.run_until(network.is_up)
    for _ in range(8):
        network.run(5)
        outbound_expires(network, network.bob)
    from_alice = [d for d in network.sent if d.local == network.alice.endpoint]
    headers = [Header.decode(datagram.octets)[0] for datagram in from_alice]
    requests = [h for h in headers if h.exchange == 37 and not h.response]
    assert requests == []


def test_another_identity_than_asked_for(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = network.bob.engine.context.configuration.connections[0]
    values = {name: getattr(connection, name) for name in connection._fields}
    mallory = type(connection)(**values | {"local_id": Identity.parse("mallory@tkm-lab.test")})
    monkeypatch.setattr(ike_auth, "_connection", lambda sa, message: mallory)
    network.ping(network.alice)
    network.run(5)
    closed = network.alice.events[-1]
    assert isinstance(closed, IkeSaClosed)
    assert "the peer is mallory@tkm-lab.test" in closed.reason
    assert [side.contexts() for side in network.sides] == [{}, {}]


def test_the_peer_widens_the_traffic_selectors(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = selectors.configured((address.Network(bytes(4), b"\xff" * 4),), "")
    monkeypatch.setattr(selectors, "narrow", lambda ours, theirs: wide)
    network.ping(network.alice)
    network.run(5)
    failed = [event for event in network.alice.events if isinstance(event, ChildSaFailed)]
    assert [event.reason for event in failed] == ["the peer widens the traffic selectors"]
    assert [side.states() for side in network.sides] == [set(), set()]
    assert [side.contexts() for side in network.sides] == [{"ae": 1, "isa": 1}] * 2
