# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a run, written to a file."""

from __future__ import annotations

from pathlib import Path

from lab.errors import UsageError
from lab.observe.report.page import page_of
from lab.observe.report.run import Run


def write_page(run: Run, file: Path) -> None:
    """Write the page of a run. Raises UsageError: the file cannot be written."""
    from lab.observe.report.html import render  # Jinja2: 50 ms, for pages alone

    written = render(page_of(run))
    try:
        file.write_text(written, encoding="utf-8")
    except OSError as trouble:
        raise UsageError(f"{file}: {trouble.strerror}") from trouble
