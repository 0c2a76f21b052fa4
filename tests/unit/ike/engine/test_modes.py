# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnel and transport mode, IPv4 and IPv6: narrowing, and what is not acceptable."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from ike import address
from ike.config.model import ChildConfig, Configuration, Mode
from ike.engine import child_negotiation, selectors
from ike.engine.child_sa import ChildSa
from ike.engine.events import ChildSaFailed
from ike.message.errors import TsUnacceptable
from ike.message.header import Header
from ike.message.numbers import NotifyType
from ike.message.payloads import Notify
from ike.message.substructures import TrafficSelector
from tests.unit.ike.engine.test_setup import put
from tests.unit.ike.network import IPV4, IPV6, Network, Side

NETS = {"alice": "10.1.0.0/16", "bob": "10.2.0.0/16"}
NETS6 = {"alice": "fd01::/64", "bob": "fd02::/64"}
EMPTY = {"ae": 1, "isa": 1}
FULL = {"ae": 1, "isa": 1, "esa": 1}


def put_child(side: Side, **changes: Any) -> None:
    """Change the one Child SA of a side, for the IKE SAs that there are, too."""
    (child,) = side.engine.context.configuration.connections[0].children
    values = {name: getattr(child, name) for name in child._fields} | changes
    put(side, children=(ChildConfig(**values),))
    for sa in side.engine.sas():
        sa.peer.connection = side.engine.context.configuration.connections[0]


def networks(*texts: str) -> tuple[address.Network, ...]:
    return tuple(map(address.Network.parse, texts))


def child_of(side: Side) -> ChildSa:
    (child,) = side.engine.context.children.values()
    return child


def agreed(side: Side) -> tuple[str, str]:
    """Traffic selectors of a side: local, remote."""
    agreement = child_of(side).agreement
    return selectors.spell(agreement.local_ts), selectors.spell(agreement.remote_ts)


def reasons(side: Side) -> list[str]:
    return [event.reason for event in side.events if isinstance(event, ChildSaFailed)]


def up(initiator: str = "alice", **options: Any) -> Network:
    network = Network(**options)
    network.ping(getattr(network, initiator))
    network.run(1)
    return network


@pytest.mark.parametrize("initiator", ["alice", "bob"])
@pytest.mark.parametrize(
    ("addresses", "nets"),
    [(IPV4, NETS), (IPV6, NETS6), (IPV4, NETS6), (IPV6, NETS)],
    ids=["4 in 4", "6 in 6", "6 in 4", "4 in 6"],
)
def test_tunnel_mode(initiator: str, addresses: Mapping[str, str], nets: Mapping[str, str]) -> None:
    network = up(initiator, addresses=addresses, nets=nets, fragmentation=True)
    assert network.is_up()
    for side, other in (network.sides, network.sides[::-1]):
        assert side.contexts() == FULL
        assert child_of(side).config.mode is Mode.TUNNEL
        assert agreed(side) == (nets[side.name], nets[other.name])


@pytest.mark.parametrize("initiator", ["alice", "bob"])
def test_transport_mode_over_ipv6(initiator: str) -> None:
    network = up(initiator, addresses=IPV6, fragmentation=True)
    assert network.is_up()
    assert agreed(network.alice) == ("fd00::1/128", "fd00::2/128")
    assert {state.source for state in network.alice.states()} == set(IPV6.values())


def test_datagrams_over_ipv6_are_longer() -> None:
    lengths = [
        max(
            len(datagram.octets)
            for datagram in up(addresses=addresses, fragmentation=True).sent
            if Header.decode(datagram.octets)[0].message_id
        )
        for addresses in (IPV4, IPV6)
    ]
    assert lengths[0] <= 576 - 28 < lengths[1] <= 1280 - 48


@pytest.mark.parametrize("esp", ["aes256-sha512", "aes256-sha512-modp3072"])
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_rekeying_in_tunnel_mode_over_ipv6(who: str, esp: str) -> None:
    network = up(addresses=IPV6, nets=NETS6, esp=esp)
    before = network.alice.states()
    side = getattr(network, who)
    side.engine.expire(1, child_of(side).spi_remote, hard=False, now=network.now)
    network.run(1)
    assert network.is_up()
    assert network.alice.states().isdisjoint(before)
    assert agreed(network.alice) == (NETS6["alice"], NETS6["bob"])
    assert [side.contexts() for side in network.sides] == [FULL, FULL]


# Narrowing


@pytest.mark.parametrize("initiator", ["alice", "bob"])
@pytest.mark.parametrize(
    ("local_ts", "common"),
    [
        (("10.2.7.0/24",), "10.2.7.0/24"),
        (("10.0.0.0/8",), "10.2.0.0/16"),
        (("10.2.1.0/24", "10.2.3.0/24", "10.9.0.0/16"), "10.2.1.0/24 10.2.3.0/24"),
    ],
)
def test_the_responder_narrows(initiator: str, local_ts: tuple[str, ...], common: str) -> None:
    """Whoever of the two initiates: only what both want is protected."""
    network = Network(nets=NETS)
    put_child(network.bob, local_ts=networks(*local_ts))
    if initiator == "bob" and len(local_ts) > 1:
        common = common.replace("10.2.0.0/16 ", "")
    network.ping(getattr(network, initiator))
    network.run(1)
    assert network.is_up()
    assert agreed(network.bob) == (common, NETS["alice"])
    assert agreed(network.alice) == (NETS["alice"], common)


@pytest.mark.parametrize("initiator", ["alice", "bob"])
def test_unacceptable_selectors_leave_an_ike_sa_without_a_child_sa(initiator: str) -> None:
    network = Network(nets=NETS)
    put_child(network.bob, local_ts=networks("10.9.0.0/16"))
    side = getattr(network, initiator)
    network.ping(side)
    network.run(1)
    assert [each.ike_sas() for each in network.sides] == [["ESTABLISHED"]] * 2
    assert [each.contexts() for each in network.sides] == [EMPTY, EMPTY]
    assert reasons(side) == ["the peer answers TS_UNACCEPTABLE"]
    put_child(network.bob, local_ts=networks(NETS["bob"]))
    network.ping(side)
    network.run(1)
    assert network.is_up(), "isa_skip_create_first lets further Child SAs come up"
    assert [each.contexts() for each in network.sides] == [FULL, FULL]


def test_unacceptable_selectors_in_a_later_exchange() -> None:
    network = up(nets=NETS)
    before = network.alice.states()
    put_child(network.bob, local_ts=networks("10.9.0.0/16"))
    network.run(20)
    network.ping(network.alice)
    network.run(1)
    assert network.alice.states() == network.bob.states() == before
    assert set(reasons(network.alice)) == {"the peer answers TS_UNACCEPTABLE"}
    assert len(reasons(network.alice)) == 2, "a new IKE SA does not bring it either"
    assert [each.contexts() for each in network.sides] == [FULL, FULL]


def test_selectors_of_another_family_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ike")
    network = Network(nets=NETS)
    put_child(network.bob, local_ts=networks(NETS6["bob"]), remote_ts=networks(NETS6["alice"]))
    network.ping(network.alice)
    network.run(1)
    assert [each.contexts() for each in network.sides] == [EMPTY, EMPTY]
    assert any("N(TS_UNACCEPT)" in line for line in caplog.messages)


# Which mode


def test_the_responder_wants_transport_mode_and_is_not_asked_for_it() -> None:
    network = Network(nets={name: f"{host}/32" for name, host in IPV4.items()})
    put_child(network.bob, mode=Mode.TRANSPORT)
    network.ping(network.alice)
    network.run(1)
    assert reasons(network.alice) == ["the peer answers NO_PROPOSAL_CHOSEN"]
    assert [each.contexts() for each in network.sides] == [EMPTY, EMPTY]


@pytest.mark.parametrize("asks", ["alice", "bob"])
def test_a_wish_for_transport_mode_goes_unheard(asks: str) -> None:
    network = Network()
    for side in network.sides:
        if side.name != asks:
            put_child(side, mode=Mode.TUNNEL)
    network.ping(getattr(network, asks))
    network.run(1)
    assert reasons(getattr(network, asks)) == ["the peer does not want net in transport mode"], (
        "then it is the initiator's to delete it (RFC 7296, 1.3.1)"
    )
    assert [each.states() for each in network.sides] == [set(), set()]
    assert [each.contexts() for each in network.sides] == [EMPTY, EMPTY]


def test_transport_mode_that_nobody_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(nets=NETS)
    unasked = (Notify(NotifyType.USE_TRANSPORT_MODE),)
    payloads = child_negotiation.ChildAnswer.payloads
    monkeypatch.setattr(
        child_negotiation.ChildAnswer, "payloads", lambda self: (*payloads(self), *unasked)
    )
    network.ping(network.alice)
    network.run(1)
    assert reasons(network.alice) == ["the peer wants net in transport mode"]
    assert [each.states() for each in network.sides] == [set(), set()]
    assert [each.contexts() for each in network.sides] == [EMPTY, EMPTY]


def test_selectors_that_begin_behind_their_end_mean_nothing() -> None:
    ours = selectors.configured(networks("10.0.0.0/8"), "")
    backwards = TrafficSelector(7, 0, 0, 65535, bytes((10, 2, 0, 0)), bytes((10, 1, 0, 0)))
    with pytest.raises(TsUnacceptable):
        selectors.narrow(ours, (backwards,))


def test_of_several_connections_with_a_peer_the_traffic_chooses() -> None:
    network = Network(nets=NETS)
    host = network.bob.engine.context
    (fitting,) = host.configuration.connections
    put_child(network.bob, name="elsewhere", reqid=2, local_ts=networks("10.9.0.0/16"))
    (other,) = host.configuration.connections
    host.configuration = Configuration((other, fitting), host.configuration.authorities)
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()
    assert child_of(network.bob).config is fitting.children[0]
