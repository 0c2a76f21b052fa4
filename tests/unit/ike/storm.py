# SPDX-License-Identifier: GPL-2.0-or-later
"""Random schedules: both sides do everything at any time, while the network is at its worst.

Afterwards the weather clears up, time passes, and then all must be in order. A seed replays
exactly: the TKMs' nonces, too, come of it while the storm lasts. The TKMs do all that they do
elsewhere, only their groups are shorter; so a thousand storms take less than a minute.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from ike.engine.states import State
from ike.errors import UnknownName
from tests.unit.ike.network import FINE, STORM, Network, Side
from tkm.core.handlers import key_exchange
from tkm.crypto.key_exchange import METHODS
from tkm.crypto.modp import ModpGroup

IKE = ("aes256-sha512-modp3072", "aes256-sha512-modp3072-ke1_modp4096")
ESP = ("aes256-sha512", "aes256-sha512-modp3072", "aes256-sha512-modp3072-ke3_modp4096")
SHORT = {15: ModpGroup(1536, 741804), 16: ModpGroup(2048, 124476)}
"""Groups in place of MODP-3072 and MODP-4096 (RFC 3526, 2 and 3)."""
SILENCE = 60.0
"""Seconds after which a side finds out that the other one has given up on it."""
CALM = 700.0
"""Seconds after which all repetition and lingering has come to an end."""


@contextmanager
def seeded_nonces(chance: random.Random) -> Iterator[None]:
    """Nonces of both TKMs by the numbers of a generator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_exchange, "os", SimpleNamespace(urandom=chance.randbytes))
        yield


def act(network: Network, side: Side) -> None:
    """Something happens on one side."""
    engine, chance = side.engine, network.chance
    spis = sorted(engine.context.children)
    established = [sa.id for sa in engine.sas() if sa.state is State.ESTABLISHED]
    deeds = {
        "ping": 2,
        "soft": 2 if spis else 0,
        "hard": 1 if spis else 0,
        "delete child": 1 if spis else 0,
        "rekey": 2 if established else 0,
        "reauthenticate": 1 if established else 0,
        "delete": 0.3 if established else 0,
    }
    (deed,) = chance.choices(list(deeds), list(deeds.values()))
    with suppress(UnknownName):  # a Child SA has no IKE SA for the moment, or that is busy
        if deed == "ping":
            network.ping(side)
        elif deed == "delete child":
            engine.delete_child_sa(chance.choice(spis), "storm", network.now)
        elif deed == "rekey":
            engine.rekey_ike_sa(chance.choice(established), network.now)
        elif deed == "reauthenticate":
            engine.reauthenticate(chance.choice(established), network.now)
        elif deed == "delete":
            engine.terminate("storm", network.now)
        else:
            child = engine.context.children[chance.choice(spis)]
            spi = child.spi_remote
            engine.expire(1, spi, hard=deed == "hard", now=network.now)


def storm(seed: int) -> Network:
    """A network after the storm of ``seed``."""
    network = Network(
        seed,
        STORM,
        ike=IKE[seed % 5 == 0],
        esp=ESP[seed % 3],
        fragmentation=seed % 4 > 1,
        dpd_delay=SILENCE,
    )
    chance = network.chance
    with seeded_nonces(chance), patch.dict(METHODS, SHORT):
        for _ in range(chance.randrange(3, 14)):
            for _ in range(chance.choice([1, 1, 2])):
                act(network, chance.choice(network.sides))
            network.run(chance.choice([0.0, 0.5, 3.0, 20.0]))
        network.weather = FINE
        network.run(CALM)
    return network


def trouble(network: Network) -> list[str]:
    """What is not in order after a storm: at once, when traffic flows again, and at the end."""
    found = faults(network)
    with patch.dict(METHODS, SHORT):
        network.ping(network.bob)
        network.run(20)
    if not network.is_up():
        found.append("no Child SA comes up afterwards")
    for side in network.sides:
        side.engine.terminate("the end", network.now)
    network.run(200)
    for side in network.sides:
        held = side.contexts(), side.in_tkm(), side.states(), side.engine.registry
        if any(held):
            found.append(f"{side.name} still holds {held} at the end")
    return found


def trace(network: Network) -> list[tuple[str, str, int]]:
    """What has been sent, as far as a seed decides."""
    return [(str(d.local), str(d.remote), len(d.octets)) for d in network.sent]


def faults(network: Network) -> list[str]:
    """What is not in order once the storm is over."""
    alice, bob = network.sides
    rules = [(alice.states() != bob.states(), "the Child SAs or their keys differ")]
    spis = [
        {(sa["initiator_spi"], sa["responder_spi"]) for sa in side.engine.status()}
        for side in network.sides
    ]
    rules.append((spis[0] != spis[1], "the IKE SAs differ"))
    for side in network.sides:
        sas = side.engine.status()
        children = [child for sa in sas for child in sa["children"]]
        expected = {"isa": len(sas), "ae": len(sas), "esa": len(children)}
        taken = {kind: count for kind, count in expected.items() if count}
        stuck = {sa["state"] for sa in sas} | {child["state"] for child in children}
        rules += [
            (side.contexts() != taken, f"{side.name} holds {side.contexts()}, not {taken}"),
            (2 * len(children) != len(side.states()), f"{side.name}'s kernel holds others"),
            (bool(stuck - {"ESTABLISHED", "INSTALLED"}), f"{side.name} is stuck: {stuck}"),
            (len(sas) > 1, f"{side.name} has {len(sas)} IKE SAs"),
            (side.in_tkm() != side.contexts(), f"{side.name}'s TKM holds {side.in_tkm()}"),
        ]
    return [fault for broken, fault in rules if broken]
