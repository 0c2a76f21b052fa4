# SPDX-License-Identifier: GPL-2.0-or-later
"""Warm programs: imported if they can be, called as their commands would be."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.agent import programs

SOURCE = """
import sys
def good(argv): return len(argv)
def silent(argv): return None
def leaves(argv): sys.exit(4)
def complains(argv): sys.exit("it is broken")
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "warm_program.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize(("function", "code"), [("good", 2), ("silent", 0), ("leaves", 4)])
def test_the_exit_code_is_the_commands(function: str, code: int) -> None:
    assert programs.call(f"warm_program:{function}", ["name", "-c", "file"]) == code
    assert sys.argv == ["name", "-c", "file"]


def test_a_last_word_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert programs.call("warm_program:complains", ["name"]) == 1
    assert capsys.readouterr().err == "it is broken\n"


def test_what_cannot_be_imported_is_told_when_it_is_wanted() -> None:
    broken = programs.warm({"good": "warm_program:good", "bad": "no_such_module:main"})
    assert list(broken) == ["bad"]
    assert "no_such_module" in broken["bad"]
    assert "warm_program" in sys.modules
