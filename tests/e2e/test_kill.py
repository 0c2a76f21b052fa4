# SPDX-License-Identifier: GPL-2.0-or-later
"""`kill -9` at random moments of `up`, `run` and `down`; bench/kill.py does the same at length."""

from __future__ import annotations

import os

from tests.e2e import kill_cases
from tests.e2e.kills import NOBODY, on_stage, results

SEED = 16755
"""Any will do. With this one each kind of victim dies, and it does not take long."""
NUMBERS = range(1, 7)
"""Five of `up` and `run`, and a `down`, before which an `up` and a `check` must work."""


def test_nothing_is_left_and_the_next_up_works() -> None:
    uids = (0, NOBODY) if os.geteuid() == 0 else (0,)
    cases = [kill_cases.draw(SEED, number, uids) for number in NUMBERS]
    found = list(results(on_stage(cases, "auto")))
    assert [result.trouble for result in found] == [""] * len(NUMBERS), found
    assert {result.command.split()[0] for result in found} == set(kill_cases.COMMANDS)


def test_a_case_can_be_played_again() -> None:
    cases = [kill_cases.draw(7, number, (0, NOBODY)) for number in range(12)]
    assert cases == [kill_cases.draw(7, number, (0, NOBODY)) for number in range(12)]
    assert {case.uid for case in cases} == {0, NOBODY}
    assert {case.command for case in cases} == set(kill_cases.COMMANDS)
