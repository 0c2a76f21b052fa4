# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever takes the place of a Child SA, each side sends what the other can receive (2.8)."""

from collections.abc import Callable

import pytest

from ike.engine import ike_auth
from ike.engine.context import Datagram
from ike.engine.engine import Ike
from tests.unit.ike.engine.test_reauthentication import reauthenticate
from tests.unit.ike.network import Network, Side, rekey_ike_sa, soft_expire
from tkm.errors import KernelError

Change = Callable[[Network, Side], None]


def unreceivable(network: Network) -> list[str]:
    """The sides that send what the other one could not open, or have nothing to send through."""
    sides = network.sides
    found = []
    for side, other in (sides, sides[::-1]):
        outbound = list(side.kernel.outbound.values())
        if not outbound or outbound[-1] not in other.states():
            found.append(side.name)
    return found


def watched(network: Network) -> list[list[str]]:
    """What :func:`unreceivable` finds at each datagram from now on."""
    found: list[list[str]] = []

    def watch(datagram: Datagram) -> list[bytes]:
        found.append(unreceivable(network))
        return [datagram.octets]

    network.meddler = watch
    return found


CHANGES: dict[str, Change] = {
    "a Child SA is rekeyed": soft_expire,
    "an IKE SA is rekeyed": rekey_ike_sa,
    "it is reauthenticated": reauthenticate,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_nothing_is_sent_that_cannot_be_received(connected: Network, change: str, who: str) -> None:
    before = connected.alice.states()
    for _ in range(3):
        found = watched(connected)
        CHANGES[change](connected, getattr(connected, who))
        connected.run(20)
        assert len(found) >= 2
        assert not any(found)
        assert connected.is_up()
        assert unreceivable(connected) == []
    assert (before != connected.alice.states()) == (change != "an IKE SA is rekeyed")


@pytest.mark.parametrize("seed", range(20))
def test_nor_if_both_sides_rekey_at_once(seed: int) -> None:
    network = Network(seed=seed)
    network.ping(network.alice)
    network.run_until(network.is_up)
    network.run(1)
    found = watched(network)
    for side in network.sides:
        soft_expire(network, side)
    network.run(30)
    assert not any(found)
    assert network.is_up()
    assert unreceivable(network) == []


def test_the_old_one_expires_before_it_is_deleted(connected: Network) -> None:
    """The initiator has rekeyed and dies before it deletes: the hard lifetime moves the traffic."""
    alice, bob = connected.sides
    old = next(iter(bob.kernel.pairs.values()))
    deletes = []

    def drop_deletes(datagram: Datagram) -> list[bytes]:
        is_delete = len(bob.kernel.pairs) == 2 and datagram.local.host == "192.168.0.1"
        deletes.append(is_delete)
        return [] if is_delete else [datagram.octets]

    connected.meddler = drop_deletes
    soft_expire(connected, alice)
    connected.run(1)
    assert any(deletes)
    assert len(bob.kernel.outbound) == 1
    bob.engine.expire(1, old.spi_out, hard=True, now=connected.now)
    assert len(bob.kernel.outbound) == 2
    assert next(iter(bob.kernel.outbound)) == old.spi_out


def test_a_peer_that_has_lost_the_old_one_is_sent_to_all_the_same(
    connected: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It restarts without INITIAL_CONTACT: nobody deletes what it had before."""
    alice, bob = connected.sides
    context = alice.engine.context
    alice.tkm.reset()
    alice.engine = Ike(alice.tkm, context.configuration, context.settings, context.random)
    monkeypatch.setattr(ike_auth, "_initial_contact", lambda _: ())
    connected.ping(alice)
    connected.run_until(lambda: len(bob.kernel.pairs) == 2)
    assert len(bob.kernel.outbound) == 1
    connected.run(6)
    assert unreceivable(connected) == []


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_one_that_cannot_be_sent_through_is_deleted(who: str) -> None:
    """The kernel takes the inbound state and refuses the outbound one: nothing is left of it."""
    network = Network()
    side = getattr(network, who)
    refuse_outbound(side)
    network.ping(network.alice)
    network.run(20)
    assert [each.ike_sas() for each in network.sides] == [["ESTABLISHED"]] * 2
    assert [len(each.states()) for each in network.sides] == [0, 0]
    assert [each.in_tkm() for each in network.sides] == [{"ae": 1, "isa": 1}] * 2


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_the_old_one_stays_if_the_new_one_cannot_be_sent_through(
    connected: Network, who: str
) -> None:
    side = getattr(connected, who)
    before = side.states()
    refuse_outbound(side)
    soft_expire(connected, side)
    connected.run(20)
    assert connected.is_up()
    assert side.states() == before
    assert unreceivable(connected) == []


def refuse_outbound(side: Side) -> None:
    def refuse(*_: object) -> None:
        raise KernelError("the kernel was told to refuse")

    side.kernel.add_outbound = refuse  # type: ignore[assignment,method-assign]
