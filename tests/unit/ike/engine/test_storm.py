# SPDX-License-Identifier: GPL-2.0-or-later
"""After a storm both sides agree, nothing is leaked and nothing is stuck."""

import pytest

from tests.unit.ike.storm import storm, trace, trouble

SCHEDULES = 1000
AT_ONCE = 25


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_storm(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        assert trouble(storm(seed)) == [], f"seed {seed}"


def test_a_seed_replays_exactly() -> None:
    one, other = storm(7), storm(7)
    assert len(one.sent) > 20
    assert trace(one) == trace(other)
