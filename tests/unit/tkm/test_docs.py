# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference pages say what the tables say."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from tkm.generation1.rpc1 import RPC1
from tkm.rpc.rpc2 import RPC2

ROOT = Path(__file__).parents[3]
PAGES = runpy.run_path(str(ROOT / "scripts" / "describe.py"))["pages"]()


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_current(name: Any) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == PAGES[name], "run scripts/describe.py"


@pytest.mark.parametrize(("name", "interface"), [("rpc1.md", RPC1), ("rpc2.md", RPC2)])
def test_pages_have_every_operation_and_field(name: str, interface: Any) -> None:
    for operation in interface:
        section = PAGES[name].partition(f" {operation.operation}\n")[2].partition("\n## ")[0]
        for record in (operation, operation.reply):
            for field in record.fields:
                assert f"| {field} |" in section
