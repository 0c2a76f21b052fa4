# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference of commands says what the commands say."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[4] / "docs"


def test_the_page_is_up_to_date() -> None:
    written = runpy.run_path(str(DOCS / "commands.py"))["reference"]()
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert page == written, "make it anew: .venv/bin/python docs/commands.py"


def test_the_picture_takes_nothing_from_the_network() -> None:
    makes = runpy.run_path(str(DOCS / "picture.py"))["svg_format"]()
    picture = (DOCS / "two-hosts.svg").read_text(encoding="utf-8")
    for text in (makes, picture):
        assert "monospace" in text
        assert "url(http" not in text.replace('"', "")
        assert "@font-face" not in text
