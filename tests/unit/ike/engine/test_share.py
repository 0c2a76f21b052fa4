# SPDX-License-Identifier: GPL-2.0-or-later
"""One authenticated peer that wants more and more: others still get in, and so does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from ike.address import Path
from ike.engine import share
from ike.engine.create_child_sa import CreateChildSa
from ike.engine.ike_sa import IkeSa
from ike.engine.initiate import Initiate
from ike.engine.peer import Peer
from ike.engine.rekey_child_sa import RekeyChildSa
from ike.engine.states import State
from tests.unit.ike.network import Network, Side
from tkm.core.kinds import Endpoint, EspSa
from tkm.core.kinds import IkeSa as TkmIkeSa
from tkm.core.quota import QUOTAS


def again(network: Network, side: Side, other: Side) -> IkeSa:
    """Set up another IKE SA, whatever stands."""
    engine = side.engine
    connection = engine.context.configuration.connections[0]
    engine.context.tick(network.now)
    path = Path(side.endpoint, other.endpoint)
    peer = Peer(engine.context, connection, connection.children[0].reqid)
    sa = IkeSa(engine.context, engine.registry, path, peer, initiator=True)
    sa.enqueue(Initiate(connection.children[0]))
    engine.handle_timer(network.now)
    network.run(1)
    return sa


@contextmanager
def greedy(side: Side) -> Iterator[None]:
    """A side that keeps to no share as to its own."""
    context = side.engine.context
    make_room, check_children, check_line = share.make_room, share.check_children, share.check_line
    with (
        patch.object(share, "make_room", lambda sa: sa.context is context or make_room(sa)),
        patch.object(
            share, "check_children",
            lambda sa, **options: sa.context is context or check_children(sa, **options),
        ),
        patch.object(share, "check_line", lambda sa: sa.context is context or check_line(sa)),
    ):  # fmt: skip
        yield


def test_the_shares_are_within_the_tkms_quotas() -> None:
    at_once = share.PEERS + 1  # the newest is authenticated before the oldest goes
    assert at_once <= QUOTAS[Endpoint]
    assert at_once * share.LINE <= QUOTAS[TkmIkeSa]
    assert at_once * (share.CHILDREN + share.SUCCESSORS) <= QUOTAS[EspSa]


def test_ike_sas_without_end(connected: Network) -> None:
    """A peer that comes back again and again, and forgets what it had before."""
    alice, bob = connected.sides
    for _ in range(40):
        newest = again(connected, bob, alice)
        assert newest.state is State.ESTABLISHED
        assert alice.ike_sas().count("ESTABLISHED") <= share.PEERS
        assert alice.in_tkm()["ae"] <= share.PEERS
    connected.run(10)  # until alice sends through the newest one, too
    spis = {state.spi for state in alice.states()}
    assert {child.spi_local for child in newest.peer.children.values()} <= spis
    assert alice.contexts() == alice.in_tkm()


def test_child_sas_without_end(connected: Network) -> None:
    alice, bob = connected.sides
    with greedy(bob):
        (sa,) = bob.engine.sas()
        for _ in range(60):
            sa.enqueue(CreateChildSa(sa.connection.children[0]))
            bob.engine.handle_timer(connected.now)
            connected.run(1)
            sa = next(each for each in bob.engine.sas() if each.state is State.ESTABLISHED)
            assert alice.in_tkm()["esa"] <= share.PEERS * (share.CHILDREN + share.SUCCESSORS)
    assert connected.is_up()


def test_rekeying_without_deleting(connected: Network) -> None:
    """The old Child SAs stay: at the limit there are no new ones, and the last one works."""
    alice, bob = connected.sides
    with (
        greedy(bob),
        patch("ike.engine.rekey_child_sa.RekeyChildSa.installed", lambda *_: None),
    ):
        for _ in range(20):
            sa = next(iter(bob.engine.sas()))
            sa.enqueue(RekeyChildSa(list(sa.peer.children.values())[-1]))
            bob.engine.handle_timer(connected.now)
            connected.run(1)
            assert alice.in_tkm()["esa"] <= share.CHILDREN + share.SUCCESSORS


def test_a_line_of_ike_sas_without_end(connected: Network) -> None:
    alice, bob = connected.sides
    with greedy(bob), patch("ike.engine.rekey_ike_sa.delete_ike_sa"):
        for _ in range(20):
            newest = next(sa for sa in bob.engine.sas() if sa.state is State.ESTABLISHED)
            bob.engine.rekey_ike_sa(newest.id, connected.now)
            connected.run(1)
            assert all(len(sa.line) <= share.LINE for sa in alice.engine.sas())
            assert alice.in_tkm()["isa"] <= share.PEERS * share.LINE
