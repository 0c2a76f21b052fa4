# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of a topology file: their keys and values checked, their faults reported with the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

from lab.topology.lines import Path, find, lines
from lab.topology.model import TopologyError


class Key(NamedTuple):
    """A key of a table: the TOML types that it may have, and its default (None: required)."""

    kinds: tuple[type, ...]
    default: Any = None


TEXT, NUMBER, REAL, FLAG, TABLE, LIST = (str,), (int,), (int, float), (bool,), (dict,), (list,)
_WORDS: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number with a point",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


class Source:
    """The text of a topology, and what errors call it, such as a file's path.

    Raises TopologyError: it is not TOML.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text
        try:
            self.document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as trouble:
            reason, _, place = str(trouble).rpartition(" (at ")
            line = re.search(r"line (\d+)", place)
            at = line[1] if line else text.count("\n") + 1
            raise TopologyError(f"{name}:{at}: {reason}") from trouble

    def fault(self, path: Path, reason: str) -> TopologyError:
        """An error at a place of the text."""
        return TopologyError(f"{self.name}:{find(lines(self._text), path)}: {reason}")


class Table:
    """A table: `where` is what errors call it, `path` where the text has it."""

    def __init__(self, source: Source, where: str, path: Path, value: Any) -> None:
        self.where = where
        self._source = source
        self._path = path
        if not isinstance(value, dict):
            raise self.fault("it must be a table")
        self.values: dict[str, Any] = value

    def fault(self, reason: str, *keys: str | int) -> TopologyError:
        """An error in this table, at a key of it or further inside."""
        where = f"{self.where}: " if self.where else ""
        return self._source.fault((*self._path, *keys), f"{where}{reason}")

    def check(self, schema: Mapping[str, Key]) -> Table:
        """This table with all defaults.

        Raises TopologyError: a key is unknown or missing, or its value is of another type.
        """
        for name in self.values:
            if name not in schema:
                known = f"known are {', '.join(schema)}" if schema else "it takes none"
                raise self.fault(f"unknown key '{name}'; {known}", name)
        for name, key in schema.items():
            value = self.values.setdefault(name, key.default)
            if value is None:
                raise self.fault(f"{name} is missing")
            if type(value) not in key.kinds:
                allowed = " or ".join(_WORDS[kind] for kind in key.kinds)
                raise self.fault(f"{name} must be {allowed}", name)
        return self

    def inside(self, key: str) -> Table:
        """A table inside this one."""
        return Table(self._source, self.where, (*self._path, key), self.values[key])

    def named(self, where: str, *keys: str | int, value: Any) -> Table:
        """A table inside this one that has a name of its own; `keys` lead to it in the text."""
        return Table(self._source, where, (*self._path, *keys), value)
