# SPDX-License-Identifier: GPL-2.0-or-later
"""Sections of strongSwan's settings, as files have them."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A value and where it is.

    Attributes:
        source: The file; empty if it came from elsewhere.
        cleared: There is none (``key =``), whatever could be inherited.
    """

    value: str
    line: int
    source: str = ""
    cleared: bool = False


class Section:
    """A section: its values and sections by name, in the order of the file.

    Attributes:
        references: Absolute names of the sections that it inherits from.
    """

    def __init__(self, name: str, line: int, source: str = "") -> None:
        self.name = name
        self.line = line
        self.source = source
        self.values: dict[str, Entry] = {}
        self.sections: dict[str, Section] = {}
        self.references: tuple[str, ...] = ()
