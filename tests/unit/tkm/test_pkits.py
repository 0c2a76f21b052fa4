# SPDX-License-Identifier: GPL-2.0-or-later
"""Path validation against NIST PKITS: none is wrongly accepted, and what is wrongly refused."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.unit.tkm import pkits

NO_DSA: Final = "DSA keys are not for IKEv2 (RFC 8247 and RFC 7427 ask for none)"
NO_INDIRECT: Final = "indirect CRLs, which others than the issuer sign, are not used"
WRONGLY_REFUSED: Final = {
    "4.1.4": NO_DSA,
    "4.1.5": NO_DSA,
    **{f"4.14.{number}": NO_INDIRECT for number in (22, 24, 25, 28, 29, 30, 33)},
}
"""Sections whose result is not what PKITS expects, and why. docs/certificates.md has them, too."""


def is_right(case: Any) -> bool:
    return bool(pkits.refusal(case)) is not case["valid"]


@pytest.mark.parametrize("name", pkits.cases())
def test_a_case(name: str) -> None:
    case, reason = pkits.cases()[name], pkits.refusal(pkits.cases()[name])
    if case["section"] in WRONGLY_REFUSED:
        assert case["valid"]
        assert reason
    else:
        assert bool(reason) is not case["valid"], reason


def test_nothing_is_imported_while_a_path_is_judged() -> None:
    """In the sandbox no file can be opened any more."""
    code = """
import sys, tkm.daemon.main
from tests.unit.tkm import pkits
pkits.suite()
before = set(sys.modules)
results = {bool(pkits.refusal(case)) for case in pkits.cases().values()}
print(results, set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{False, True} set()\n"


def test_how_many_are_right() -> None:
    assert len(pkits.cases()) == 246
    assert sum(map(is_right, pkits.cases().values())) == 237


def test_the_docs_list_what_is_different() -> None:
    text = (Path(__file__).parents[3] / "docs" / "certificates.md").read_text(encoding="utf-8")
    for name, reason in WRONGLY_REFUSED.items():
        assert re.search(rf"`{re.escape(name)}`.*\| {re.escape(reason)} \|", text), name
