# SPDX-License-Identifier: GPL-2.0-or-later
"""A run is kept whole, and what is not a kept run is refused in one line."""

from __future__ import annotations

import json

import pytest

from lab.errors import UsageError
from lab.observe.report.run import dump, load
from tests.unit.lab.observe.report import recorded


def test_a_run_survives_the_file() -> None:
    run = recorded.two_hosts()
    assert load(dump(run)) == run


@pytest.mark.parametrize("text", ["", "[]", "{}", "no JSON", "\x00"])
def test_what_is_not_a_run_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a run that tkm-lab has kept"):
        load(text)


def test_a_run_of_another_version_is_refused() -> None:
    kept = json.loads(recorded.text()) | {"version": 2}
    with pytest.raises(UsageError, match="version 2: this tkm-lab reads version 1"):
        load(json.dumps(kept))


@pytest.mark.parametrize("part", ["captures", "logs", "sas", "hosts"])
def test_a_run_that_lacks_a_part_is_refused(part: str) -> None:
    kept = json.loads(recorded.text())
    del kept[part]
    with pytest.raises(UsageError, match="damaged"):
        load(json.dumps(kept))


def test_keys_are_not_in_its_repr() -> None:
    run = recorded.two_hosts()
    shown = repr(run)
    assert run.ike_keys[0] not in shown
    assert all(sa.encryption_key.hex() not in shown for sa in run.sas)
