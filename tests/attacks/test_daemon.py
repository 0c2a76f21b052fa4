# SPDX-License-Identifier: GPL-2.0-or-later
"""A subverted daemon asks for anything in any order; the promises hold after every step."""

import random

import pytest

from tests.attacks.daemon import RULES, Daemon
from tkm.generation1.rpc1 import RPC1
from tkm.rpc.rpc2 import RPC2

STEPS = 400


def test_every_operation_has_its_rule() -> None:
    operations = {kind.operation for interface in (RPC1, RPC2) for kind in interface}
    assert operations == set(RULES), "a new operation needs a row in tests/attacks/daemon.py"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("generation", [1, 2])
def test_any_order(generation: int, seed: int) -> None:
    chance = random.Random(seed)
    daemon = Daemon(generation, chance)
    for _ in range(STEPS):
        if chance.random() < 0.05:
            number = chance.choice((1, 2, 3))
            daemon.handshake(number)
            daemon.children(number)
        else:
            daemon.step()
    # It got somewhere, and was refused.
    assert daemon.granted.get("isa_auth", 0) > 2
    assert len(daemon.judge.keys) >= 8
    assert sum(daemon.refused.values()) > STEPS / 4
