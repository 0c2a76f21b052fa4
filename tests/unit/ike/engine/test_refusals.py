# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer that refuses CREATE_CHILD_SA: a new IKE SA brings what it refuses (RFC 7296, 4)."""

from collections.abc import Sequence
from typing import Any

import pytest

from ike.engine import dispatch
from ike.engine.lifetime import PATIENCE
from ike.engine.states import State
from ike.message.errors import (
    NoAdditionalSas,
    NoProposalChosen,
    PeerError,
    TemporaryFailure,
    TsUnacceptable,
)
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payloads import Payload
from tests.unit.ike.network import REQID, Network, Side, rekey_ike_sa, soft_expire

PFS = "aes256-sha512-modp3072"
NO_PFS = "aes256-sha512"
HELD = {"ae": 1, "isa": 1, "esa": 1}


def up(**options: Any) -> Network:
    network = Network(**options)
    network.ping(network.alice)
    network.run_until(network.is_up)
    network.run(1)
    return network


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> dict[str, PeerError]:
    """What each host answers to CREATE_CHILD_SA, by its address; it does as always without."""
    found: dict[str, PeerError] = {}
    rule = dispatch.REQUESTS[ExchangeType.CREATE_CHILD_SA]

    def respond(sa: Any, message: Message) -> Sequence[Payload]:
        if error := found.get(sa.route.path.local.host):
            raise error
        return rule.respond(sa, message)

    rules = {**dispatch.REQUESTS, ExchangeType.CREATE_CHILD_SA: rule._replace(respond=respond)}
    monkeypatch.setattr(dispatch, "REQUESTS", rules)
    return found


def hard_expire(network: Network, side: Side) -> None:
    for child in list(side.engine.context.children.values()):
        side.engine.expire(REQID, child.spi_remote, hard=True, now=network.now)


def rekey_ike_sas(side: Side, now: float) -> None:
    for sa in side.engine.sas():
        if sa.state is State.ESTABLISHED:
            side.engine.rekey_ike_sa(sa.id, now)


def begun(network: Network) -> int:
    """How many IKE SAs were initiated."""
    headers = [Header.decode(datagram.octets)[0] for datagram in network.sent]
    kind = ExchangeType.IKE_SA_INIT
    return len({each.spi_i for each in headers if each.exchange == kind})


def check_one_of_each(network: Network) -> None:
    assert network.is_up()
    for side in network.sides:
        assert side.ike_sas() == ["ESTABLISHED"]
        assert side.contexts() == side.in_tkm() == HELD


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize(("alice", "bob"), [(PFS, NO_PFS), (NO_PFS, PFS)])
def test_pfs_on_one_side_only(who: str, alice: str, bob: str) -> None:
    network = up(own={"alice": {"esp": alice}, "bob": {"esp": bob}})
    before = network.alice.states()
    soft_expire(network, getattr(network, who))
    network.run(5)
    check_one_of_each(network)
    assert network.alice.states().isdisjoint(before)
    assert begun(network) == 2


def test_the_old_child_sa_carries_the_traffic_until_there_is_another() -> None:
    network = up(own={"alice": {"esp": PFS}, "bob": {"esp": NO_PFS}})
    shared = []

    def watch(datagram: Any) -> list[bytes]:
        shared.append(len(network.alice.states() & network.bob.states()))
        return [datagram.octets]

    network.meddler = watch
    soft_expire(network, network.alice)
    network.run(5)
    assert min(shared) == 2


@pytest.mark.parametrize("error", [NoAdditionalSas("no"), NoProposalChosen("no"), PeerError("no")])
def test_what_is_refused_when_traffic_waits_comes_with_a_new_ike_sa(
    refusals: dict[str, PeerError], error: PeerError
) -> None:
    network = up()
    refusals[network.bob.endpoint.host] = error
    hard_expire(network, network.alice)
    network.run(1)
    assert not network.alice.states()
    network.ping(network.alice)
    network.run(5)
    check_one_of_each(network)
    assert begun(network) == 2


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_an_ike_sa_that_the_peer_does_not_rekey_is_begun_anew(
    refusals: dict[str, PeerError], who: str
) -> None:
    network = up()
    side = getattr(network, who)
    (other,) = (each for each in network.sides if each is not side)
    refusals[other.endpoint.host] = NoAdditionalSas("no")
    rekey_ike_sa(network, side)
    network.run(5)
    check_one_of_each(network)
    assert begun(network) == 2
    network.run(2 * PATIENCE)
    assert begun(network) == 2, "the new one is rekeyed in its own time"


def test_who_refuses_again_and_again_gets_a_new_ike_sa_once_a_minute(
    refusals: dict[str, PeerError],
) -> None:
    network = up()
    refusals[network.bob.endpoint.host] = NoAdditionalSas("no")
    for _ in range(300):
        soft_expire(network, network.alice)
        network.ping(network.alice)
        rekey_ike_sas(network.alice, network.now)
        network.run(1)
    minutes = 300 / PATIENCE
    assert minutes <= begun(network) <= 1 + minutes
    refusals.clear()
    network.run(2 * PATIENCE)
    check_one_of_each(network)


def test_what_a_new_ike_sa_does_not_bring_either_is_no_storm(
    refusals: dict[str, PeerError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traffic selectors that never fit: the IKE SA stays, without a Child SA."""
    network = up()
    refusals[network.bob.endpoint.host] = TsUnacceptable("no")
    hard_expire(network, network.alice)
    network.run(1)
    monkeypatch.setattr("ike.engine.ike_auth.ChildAnswer", refuse)
    for _ in range(300):
        network.ping(network.alice)
        network.run(1)
    assert begun(network) <= 2 + 300 / PATIENCE
    assert [side.ike_sas() for side in network.sides] == [["ESTABLISHED"]] * 2
    assert [side.contexts() for side in network.sides] == [{"ae": 1, "isa": 1}] * 2


def refuse(*_: Any) -> None:
    raise TsUnacceptable("no")


def test_a_peer_that_is_busy_has_time_before_a_new_ike_sa(
    refusals: dict[str, PeerError],
) -> None:
    network = up()
    refusals[network.bob.endpoint.host] = TemporaryFailure("busy")
    soft_expire(network, network.alice)
    network.run(10)
    assert begun(network) == 1, "it is asked again"
    network.run(40)
    assert begun(network) == 2, "after some tries it is not busy, but broken"
    check_one_of_each(network)


def test_what_our_tkm_refuses_is_not_the_peers_refusal() -> None:
    network = up()
    network.alice.kernel.refuses = True
    soft_expire(network, network.alice)
    network.run(5)
    assert begun(network) == 1
