# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology that is shipped is tested and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.topology import shipped
from tests.e2e.test_topologies import EXPECTED

ROOT = Path(__file__).parents[4]
OWN_TESTS = {"two-hosts"}
"""tests/e2e/test_two_hosts.py."""


def test_each_has_a_case_that_boots_it() -> None:
    assert set(shipped()) == set(EXPECTED) | OWN_TESTS


@pytest.mark.parametrize("page", ["README.md", "docs/topologies.md"])
def test_each_has_a_row(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    cells = [line.split("|")[1] for line in lines if line.startswith("| `")]
    assert set(shipped()) <= {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
