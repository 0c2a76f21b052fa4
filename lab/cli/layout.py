# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables that fit a terminal. No value is cut or broken; only prose wraps, at spaces."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Spaces between columns."""
_READABLE = 16
"""The least width of a column of prose that has as much text."""


class Listing:
    """A table. When it is too wide, each row takes several lines, below the second column."""

    def __init__(
        self, *columns: str, right: Collection[str] = (), prose: Collection[str] = ()
    ) -> None:
        """Make an empty table.

        Args:
            columns: the headings; without any text, no headings are shown.
            right: the columns that are aligned to the right.
            prose: the columns that may wrap at spaces.
        """
        self._headings = [Text(column, "dim", justify="left") for column in columns]
        self._right = [column in right for column in columns]
        self._prose = [column in prose for column in columns]
        self._rows: list[list[Text]] = []

    @property
    def row_count(self) -> int:
        """How many rows the table has."""
        return len(self._rows)

    def add_row(self, *cells: str | Text) -> None:
        """Add a row: rich's markup, or a text, for each column."""
        texts = [Text.from_markup(cell) if isinstance(cell, str) else cell for cell in cells]
        for text, right in zip(texts, self._right, strict=True):
            text.justify = "right" if right else "left"
        self._rows.append(texts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table with as few lines a row as fit the width."""
        least = self._least()
        others = len(least) - 1
        for lines in range(1, others + 1):
            per_line = -(-others // lines)
            widths = [least[0], *(max(least[n::per_line]) for n in range(1, per_line + 1))]
            if sum(widths) + _GAP * per_line <= options.max_width:
                break
        left = options.max_width - sum(widths) - _GAP * per_line
        table = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        for number, width in enumerate(widths):
            stack = [0] if number == 0 else range(number, len(least), per_line)
            natural = max(row[n].cell_len for row in [self._headings, *self._rows] for n in stack)
            more = max(min(natural - width, left), 0)
            left -= more
            table.add_column(width=width + more, overflow="fold")
        rows = [self._headings, *self._rows] if any(self._headings) else self._rows
        for row in rows:
            for line in _lines(row, per_line):
                table.add_row(*line)
        yield table

    def _least(self) -> list[int]:
        """How narrow each column may be."""
        return [
            max(_least(row[number], prose=prose) for row in [self._headings, *self._rows])
            for number, prose in enumerate(self._prose)
        ]


def wrapped(text: Text, width: int) -> Iterator[Text]:
    """The lines of prose: it breaks at spaces, and a word that is longer than a line stays whole.

    (rich either breaks such a word or, with overflow "ignore", no line at all.)
    """
    for line in text.split("\n", allow_blank=True):
        begin, breaks = 0, []
        for word in re.finditer(r"\S+", line.plain):
            before, until = line.plain[begin : word.start()], line.plain[begin : word.end()]
            if before.strip() and cell_len(until) > width:
                begin = word.start()
                breaks.append(begin)
        for piece in line.divide(breaks):
            piece.rstrip()
            yield piece


def _lines(row: Sequence[Text], per_line: int) -> Iterator[list[Text]]:
    """The lines of a row: the first cell stands on the first of them only."""
    for start in range(1, len(row), per_line):
        cells = row[start : start + per_line]
        if start == 1 or any(cells):
            yield [row[0] if start == 1 else Text(), *cells]


def _least(cell: Text, *, prose: bool) -> int:
    if not prose:
        return cell.cell_len
    longest = max((Text(word).cell_len for word in cell.plain.split()), default=0)
    return max(longest, min(cell.cell_len, _READABLE))
