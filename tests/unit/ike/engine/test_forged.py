# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever does not come from the peer changes nothing."""

import random
from typing import Any

import pytest

from ike.engine.context import Datagram
from ike.engine.route import PORTS
from ike.message.header import Header
from ike.message.numbers import ExchangeType
from tests.unit.ike.network import Network, Side


def snapshot(side: Side) -> list[Any]:
    """Everything about a side that a message could change."""
    sas = side.engine.sas()
    windows = [
        (sa.channel.requests.next_id, sa.channel.requests.deadline, sa.channel.responses.expected)
        for sa in sas
    ]
    current = [sa.queue.current for sa in sas]
    heard = [sa.last_heard for sa in sas]
    held = [[each.held for each in sa.channel._fragments.values()] for sa in sas]
    return [side.engine.status(), windows, current, heard, held, side.contexts(), side.states()]


def flips(octets: bytes, chance: random.Random, count: int) -> list[bytes]:
    """Copies with one bit flipped; every octet of the headers, and some of the others."""
    positions = [*range(Header.LENGTH + 4)]
    others = range(len(positions), len(octets))
    positions += chance.sample(others, min(count, len(others)))
    copies = []
    for position in positions:
        copy = bytearray(octets)
        copy[position] ^= 1 << chance.randrange(8)
        copies.append(bytes(copy))
    return copies


def mangled(octets: bytes, chance: random.Random) -> list[bytes]:
    """Cut short, made longer, spliced."""
    cut = octets[: chance.randrange(len(octets))]
    longer = octets + chance.randbytes(7)
    fixed = [part[:24] + len(part).to_bytes(4, "big") + part[28:] for part in (cut, longer)]
    return [cut, longer, *fixed, chance.randbytes(len(octets)), b""]


def steps(network: Network) -> dict[str, Any]:
    """What makes each kind of encrypted message."""

    def delete_child() -> None:
        (spi,) = network.alice.engine.context.children
        network.alice.engine.delete_child_sa(spi, "test", network.now)

    def soft_expire() -> None:
        (child,) = network.alice.engine.context.children.values()
        network.alice.engine.expire(1, child.spi_remote, hard=False, now=network.now)

    return {
        "auth": lambda: network.ping(network.alice),
        "rekey child": soft_expire,
        "rekey": lambda: network.alice.engine.rekey_ike_sa(1, network.now),
        "delete child": delete_child,
        "delete": lambda: network.alice.engine.terminate("test", network.now),
    }


@pytest.mark.parametrize("fragmentation", [False, True], ids=["whole", "in fragments"])
@pytest.mark.parametrize("step", ["auth", "rekey child", "rekey", "delete child", "delete"])
def test_forged_messages_change_nothing(step: str, fragmentation: bool) -> None:
    network = Network(fragmentation=fragmentation)
    if step != "auth":
        network.ping(network.alice)
        network.run(1)
    chance = random.Random(step)
    forged = 0

    def attack(datagram: Datagram) -> list[bytes]:
        nonlocal forged
        header = Header.decode(datagram.octets)[0]
        if header.exchange == ExchangeType.IKE_SA_INIT:
            return [datagram.octets]
        target = next(s for s in network.sides if s.endpoint == datagram.remote)
        before = snapshot(target)
        for octets in flips(datagram.octets, chance, 40) + mangled(datagram.octets, chance):
            forged += 1
            target.engine.receive_datagram(octets, datagram.remote, datagram.local, network.now)
            assert snapshot(target) == before, octets.hex()
            assert target.engine.datagrams_to_send() == []
        return [datagram.octets]

    network.meddler = attack
    steps(network)[step]()
    network.run(5)
    assert forged >= 100
    assert network.alice.states() == network.bob.states()
    expected = {"delete": {}, "delete child": {"ae": 1, "isa": 1}}
    for side in network.sides:
        assert side.contexts() == expected.get(step, {"ae": 1, "isa": 1, "esa": 1})


def test_replayed_messages_change_nothing() -> None:
    network = Network()
    network.ping(network.alice)
    network.run(1)
    (child,) = network.alice.engine.context.children.values()
    network.alice.engine.expire(1, child.spi_remote, hard=False, now=network.now)
    network.run(1)
    recorded = list(network.sent)
    before = [snapshot(side) for side in network.sides]
    for datagram in recorded * 2:
        for side in network.sides:
            if side.endpoint == datagram.remote:
                side.engine.receive_datagram(
                    datagram.octets, datagram.remote, datagram.local, network.now
                )
    network.run(1)
    assert [snapshot(side) for side in network.sides] == before


@pytest.mark.parametrize("seed", range(40))
def test_forged_first_messages_do_no_lasting_harm(seed: int) -> None:
    """Nothing protects IKE_SA_INIT: it may fail, but then it ends, and the next one works."""
    network = Network(seed)
    chance = random.Random(seed)

    def attack(datagram: Datagram) -> list[bytes]:
        if datagram.local.port == PORTS.nat:
            return [datagram.octets]  # what came of a NAT that is none
        header = Header.decode(datagram.octets)[0]
        if header.exchange != ExchangeType.IKE_SA_INIT:
            return [datagram.octets]
        copies = flips(datagram.octets, chance, 20)
        return [*chance.sample(copies, 4), *mangled(datagram.octets, chance), datagram.octets]

    network.meddler = attack
    network.ping(network.alice)
    network.run(300)
    network.meddler = lambda datagram: [datagram.octets]
    network.ping(network.alice)
    network.run(300)
    assert network.is_up()
    for side in network.sides:
        assert set(side.ike_sas()) == {"ESTABLISHED"}
        assert side.in_tkm() == side.contexts()
        assert set(side.contexts()) == {"ae", "isa", "esa"}


def test_garbage() -> None:
    network = Network()
    chance = random.Random(1)
    for length in [*range(64), 1000, 65507]:
        octets = chance.randbytes(length)
        network.bob.engine.receive_datagram(
            octets, network.bob.endpoint, network.alice.endpoint, 0.0
        )
    assert network.bob.engine.status() == []
    assert network.bob.contexts() == {}
