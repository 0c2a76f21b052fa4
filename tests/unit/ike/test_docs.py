# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/ike.md names a test for what it calls done, and each of them exists."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TEXT = (HERE.parents[2] / "docs" / "ike.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("|") and "::" in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[2].strip())
def test_the_test_of_a_row_exists(row: str) -> None:
    for file, name in re.findall(r"`([\w/]+\.py)::(\w+)`", row):
        assert f"def {name}(" in (HERE / file).read_text()


def test_what_is_done_is_shown() -> None:
    assert len(ROWS) > 40
    assert not [line for line in TEXT.splitlines() if "| done |" in line and "::" not in line]
