# SPDX-License-Identifier: GPL-2.0-or-later
"""After a storm both sides agree, nothing is leaked and nothing is stuck."""

import pytest

from tests.unit.ike.storm import faults, storm

SCHEDULES = 250
AT_ONCE = 10


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_storm(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        network = storm(seed)
        assert faults(network) == [], f"seed {seed}"
        network.ping(network.bob)
        network.run(20)
        assert network.is_up(), f"seed {seed}"
        for side in network.sides:
            side.engine.terminate("the end", network.now)
        network.run(200)
        for side in network.sides:
            assert side.contexts() == side.in_tkm() == {}, f"seed {seed}"
            assert not side.states(), f"seed {seed}"
            assert not side.engine.host.sas, f"seed {seed}"


def test_a_seed_replays_exactly() -> None:
    one, other = storm(7), storm(7)
    assert len(one.sent) > 20
    assert [(d.local, d.remote, len(d.octets)) for d in one.sent] == [
        (d.local, d.remote, len(d.octets)) for d in other.sent
    ]
