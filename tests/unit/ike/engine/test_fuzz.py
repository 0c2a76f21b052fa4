# SPDX-License-Identifier: GPL-2.0-or-later
"""Thousands of forged packets at every stage: nothing crashes, no SA is lost, all is logged."""

import pytest

from tests.unit.ike import forging, nonsense


@pytest.mark.parametrize("seed", range(16))
def test_forgeries_at_every_stage(seed: int) -> None:
    attacker = forging.live(seed, most=20)
    assert attacker.faults == []
    assert attacker.thrown.keys() == {forge.__name__ for forge in forging.FORGERIES}


@pytest.mark.parametrize("seed", range(24))
def test_a_peer_that_says_nonsense(seed: int) -> None:
    forged, faults = nonsense.misbehave(seed)
    assert forged.total() > 0
    assert faults == []


@pytest.mark.parametrize("seed", range(4))
def test_a_client_that_says_nonsense(seed: int) -> None:
    assert nonsense.pester(seed, 300) > 0
