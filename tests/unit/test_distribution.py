# SPDX-License-Identifier: GPL-2.0-or-later
"""What pyproject.toml declares is what the code uses."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cli import entry

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OURS = {"tkm", "tkm_cfgtool", "xfrm_proxy", "ike", "lab", "scenarios", "tkm_lab_pytest"}
GATEWAY = ("tkm", "tkm_cfgtool", "xfrm_proxy", "ike")


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}


def _imported(*packages: str) -> set[str]:
    """The foreign packages that the modules of ours import, at any place."""
    return (
        {
            name.partition(".")[0]
            for package in packages
            for module in (ROOT / package).rglob("*.py")
            for name in _imports(ast.parse(module.read_text(encoding="utf-8")))
        }
        - OURS
        - sys.stdlib_module_names
    )


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_a_gateway_needs_what_it_imports() -> None:
    assert _imported(*GATEWAY) == _names(PROJECT["dependencies"])


def test_the_lab_needs_what_it_imports() -> None:
    needed = _imported("lab") - _names(PROJECT["dependencies"])
    assert needed == _names(EXTRAS["lab"])


def test_the_entry_point_knows_the_packages_of_the_lab() -> None:
    assert set(entry.PACKAGES) == _names(EXTRAS["lab"])


def test_what_is_missing_is_reported_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry, "find_spec", lambda name: None if name == "scapy" else object())
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert end.value.code == 2
    expected = "tkm-lab: the lab needs scapy: pip install 'tkm-lab[lab]'\n"
    assert capsys.readouterr().err == expected


def test_no_package_is_hidden_from_git() -> None:
    patterns = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    hidden = {pattern.rstrip("/") for pattern in patterns if not pattern.startswith("/")}
    folders = {part.name for name in OURS for part in (ROOT / name).rglob("*") if part.is_dir()}
    assert not hidden & (folders - {"__pycache__"})
