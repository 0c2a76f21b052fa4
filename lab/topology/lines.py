# SPDX-License-Identifier: GPL-2.0-or-later
"""Where in a TOML text each table, key and array element stands.

tomllib gives values without positions, and libraries that keep a text's form do not give them
either. This reads a text that tomllib has found valid, so it needs to know only what TOML's pieces
look like (toml.io, v1.0.0), and nothing of what they must not be.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Keys, and numbers from 0 in arrays, from the top of the document."""

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\r]+ | \#[^\n]*)
    | (?P<string>\"{3}(?:[^\\]|\\.)*?\"{3,5} | '{3}.*?'{3,5} | "(?:[^"\\]|\\.)*" | '[^']*')
    | (?P<mark>[\n\[\]{}=,.])
    | (?P<bare>[^\s\[\]{}=,."'\#]+)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def lines(text: str) -> Mapping[Path, int]:
    """The line, from 1, of each table, key and array element of a valid TOML text.

    A table that is only implied by the header of another has that one's line.
    """
    return _Scanner(text).scan()


def find(known: Mapping[Path, int], path: Path) -> int:
    """The line of a path or, if it is not written down, of the innermost table around it."""
    while path and path not in known:
        path = path[:-1]
    return known.get(path, 1)


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup and match.lastgroup != "blank":
            yield _Token(match.lastgroup, match[0], line)
        line += match[0].count("\n")
    yield _Token("mark", "\n", line)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._known: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}
        """Of the arrays of tables."""

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._at < len(self._tokens):
            if self._take("["):
                table = self._header()
            elif not self._take("\n"):
                self._pair(table)
        return self._known

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, mark: str) -> bool:
        """Whether the next token is this mark; if so, pass it."""
        there = self._peek().kind == "mark" and self._peek().text == mark
        self._at += there
        return there

    def _note(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self._known.setdefault(path[:length], line)

    def _header(self) -> Path:
        is_array = self._take("[")
        path, line = self._keys((), resolve=True)
        if is_array:
            number = self._lengths.get(path, 0)
            self._lengths[path] = number + 1
            path = (*path, number)
        self._note(path, line)
        while not self._take("\n"):
            self._at += 1
        return path

    def _keys(self, path: Path, *, resolve: bool = False) -> tuple[Path, int]:
        """A dotted key below a path. In headers the name of an array means its latest table."""
        line = self._peek().line
        while True:
            if resolve and path in self._lengths:
                path = (*path, self._lengths[path] - 1)
            token = self._next()
            path = (*path, _key(token))
            if not self._take("."):
                return path, line

    def _pair(self, table: Path) -> None:
        path, line = self._keys(table)
        self._note(path, line)
        self._take("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            self._items("}", lambda _: self._pair(path))
        else:
            while self._peek().kind != "mark" or self._peek().text == ".":
                self._at += 1

    def _array(self, path: Path) -> None:
        def element(number: int) -> None:
            self._note((*path, number), self._peek().line)
            self._value((*path, number))

        self._items("]", element)

    def _items(self, end: str, item: Callable[[int], None]) -> None:
        number = 0
        while not self._take(end):
            if not self._take(",") and not self._take("\n"):
                item(number)
                number += 1


def _key(token: _Token) -> str:
    if token.kind == "bare":
        return token.text
    return str(tomllib.loads(f"key = {token.text}")["key"])
