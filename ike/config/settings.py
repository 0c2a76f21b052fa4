# SPDX-License-Identifier: GPL-2.0-or-later
"""strongSwan's settings syntax (strongswan.conf(5)): nested sections of ``key = value``.

A value ends with its line, at ``#`` or at ``}``; in double quotes it may hold anything, with the
usual backslashes. ``key =`` alone sets nothing: it clears what would be inherited. ``include``
reads other files into the section that it is in, and ``name : other, third.part { … }`` inherits
(`ike.config.inheritance`).
"""

import re
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from ike.config import inheritance
from ike.config.section import Entry, Section
from ike.errors import ConfigError

Include = Callable[[str, str], Iterable[tuple[str, str]]]
"""Given a pattern and the name of the file that includes it: names and texts of the files."""

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\r]+ | \#[^\n]*)
    | (?P<newline>\n)
    | (?P<open>\{)
    | (?P<close>\})
    | (?P<equals>=)
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | (?P<word>[^\s{}=\#"]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_DEEPEST_SECTION = 16
_DEEPEST_INCLUDE = 10


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def parse(
    text: str, source: str, include: Include | None = None, kept: Collection[str] = ()
) -> Section:
    """The sections of a file, in one without a name; each with what it inherits.

    Args:
        source: What errors call the file.
        include: Finds the files that ``include`` names; ``None``: it is refused.
        kept: Sections at the root that are not left out as templates.

    Raises:
        ConfigError: It breaks the syntax, with file and line.
    """
    root = Section("", 1, source)
    _Parser(text, source, include).parse(root)
    return inheritance.resolve(root, kept)


class _Parser:
    """Parses one file.

    Args:
        depth: How many files include this one.
    """

    def __init__(self, text: str, source: str, include: Include | None, depth: int = 0) -> None:
        self._source = source
        self._include = include
        self._depth = depth
        self._opened: set[Section] = set()
        self._tokens = self._split(text)
        self._at = 0

    def _split(self, text: str) -> list[_Token]:
        tokens, at, line = [], 0, 1
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match or not match.lastgroup:
                raise self._error(line, f"{text[at]} is not understood here")
            if match.lastgroup != "blank":
                tokens.append(_Token(match.lastgroup, match[match.lastgroup], line))
            line += match[0].count("\n")
            at = match.end()
        return [*tokens, _Token("end", "", line)]

    def _error(self, line: int, reason: str) -> ConfigError:
        return ConfigError(f"{self._source}:{line}: {reason}")

    def _next(self, *, lines: bool = False) -> _Token:
        """The next token; over the ends of lines, unless they matter."""
        while self._tokens[self._at].kind == "newline" and not lines:
            self._at += 1
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    def parse(self, section: Section) -> None:
        """Read the file into a section."""
        path = [section]
        while (token := self._next()).kind != "end":
            if token.kind == "close" and len(path) > 1:
                path.pop()
            elif token.kind == "word":
                self._statement(path, token)
            else:
                raise self._error(token.line, f"a key or a section expected, not {token.text!r}")
        if len(path) > 1:
            raise self._error(token.line, f"section {path[-1].name} is not closed")

    def _statement(self, path: list[Section], name: _Token) -> None:
        """``name = value``, ``name {``, ``name : references {`` or ``include pattern``."""
        section = path[-1]
        if name.text == "include" and self._tokens[self._at].kind in ("word", "quoted"):
            self._read_included(section, name.line)
            return
        words = [name.text]
        while (following := self._next()).kind == "word":
            words.append(following.text)
        key, colon, references = " ".join(words).partition(":")
        if following.kind == "open" and (colon or len(words) == 1):
            path.append(self._open(section, key.strip(), name.line))
            path[-1].references += self._references(references, name.line) if colon else ()
            if len(path) > _DEEPEST_SECTION:
                raise self._error(name.line, f"more than {_DEEPEST_SECTION} sections in each other")
        elif following.kind == "equals" and len(words) == 1:
            self._set(section, name)
        else:
            raise self._error(name.line, f"'=' or '{{' expected after {name.text}")

    def _open(self, section: Section, name: str, line: int) -> Section:
        """A new section, or one that another file has begun."""
        inner = section.sections.setdefault(name, Section(name, line, self._source))
        if inner in self._opened or name in section.values:
            raise self._error(line, f"{name} is there twice")
        self._opened.add(inner)
        return inner

    def _references(self, text: str, line: int) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(","))
        if not all(re.fullmatch(r"[^\s:.]+(\.[^\s:.]+)*", name) for name in names):
            raise self._error(line, f"{text.strip()!r} does not name sections, such as a, b.c")
        if len(set(names)) < len(names):
            raise self._error(line, "a section is inherited twice")
        return names

    def _set(self, section: Section, name: _Token) -> None:
        """Take a value, in place of one that another file has set."""
        before = section.values.get(name.text)
        if name.text in section.sections or (before and before.source == self._source):
            raise self._error(name.line, f"{name.text} is there twice")
        words = self._value()
        section.values[name.text] = Entry(" ".join(words), name.line, self._source, not words)

    def _value(self) -> list[str]:
        """The words up to the end of the line."""
        words = []
        while (token := self._next(lines=True)).kind in ("word", "quoted", "equals"):
            words.append(_unescape(token.text) if token.kind == "quoted" else token.text)
        if token.kind == "open":
            raise self._error(token.line, "'{' cannot be in a value")
        self._at -= token.kind != "end"
        return words

    def _read_included(self, section: Section, line: int) -> None:
        """Read the files that the rest of the line names."""
        if self._include is None:
            raise self._error(line, "include is not possible here")
        if self._depth == _DEEPEST_INCLUDE:
            raise self._error(line, f"more than {_DEEPEST_INCLUDE} files include each other")
        for source, text in self._include(" ".join(self._value()), self._source):
            _Parser(text, source, self._include, self._depth + 1).parse(section)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text, flags=re.DOTALL)
