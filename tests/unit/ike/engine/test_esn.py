# SPDX-License-Identifier: GPL-2.0-or-later
"""Extended sequence numbers (RFC 7296, 3.3.2; RFC 4304): used where both sides can."""

import pytest

from tests.unit.ike.engine.test_modes import child_of, reasons
from tests.unit.ike.network import Network, Side

PLAIN, BOTH = "aes256-sha512", "aes256-sha512-esn-noesn"
ESN, NO_ESN = "aes256-sha512-esn", "aes256-sha512-noesn"


def up(alice: str, bob: str, who: str = "alice") -> Network:
    network = Network(own={"alice": {"esp": alice}, "bob": {"esp": bob}})
    network.ping(getattr(network, who))
    network.run(1)
    return network


def esn(side: Side) -> list[bool]:
    """Whether the Child SAs in the kernel have it."""
    return [pair.esn for pair in side.kernel.pairs.values()]


@pytest.mark.parametrize(
    ("alice", "bob", "expected"),
    [
        (BOTH, BOTH, True),
        (BOTH, ESN, True),
        (BOTH, PLAIN, False),
        (BOTH, NO_ESN, False),
        (ESN, ESN, True),
        (PLAIN, PLAIN, False),
        (f"{ESN},{PLAIN}", f"{PLAIN},{ESN}", None),
    ],
)
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_where_both_sides_can(alice: str, bob: str, expected: bool | None, who: str) -> None:
    """Where each side prefers another proposal, the responder decides."""
    network = up(alice, bob, who)
    assert network.is_up()
    expected = who == "bob" if expected is None else expected
    assert esn(network.alice) == esn(network.bob) == [expected]


@pytest.mark.parametrize(("alice", "bob"), [(ESN, NO_ESN), (PLAIN, ESN)])
def test_nothing_in_common(alice: str, bob: str) -> None:
    network = up(alice, bob)
    assert reasons(network.alice) == ["the peer answers NO_PROPOSAL_CHOSEN"]
    assert esn(network.alice) == esn(network.bob) == []


@pytest.mark.parametrize("esp", [BOTH, "aes256-sha512-modp3072-esn-noesn"], ids=["", "PFS"])
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_rekeying_keeps_it(who: str, esp: str) -> None:
    network = up(esp, esp)
    side = getattr(network, who)
    for _ in range(2):
        before = network.alice.states()
        side.engine.rekey_child_sa(child_of(side).spi_local, network.now)
        network.run(1)
        assert network.is_up()
        assert network.alice.states().isdisjoint(before)
        assert esn(network.alice) == esn(network.bob) == [True]
