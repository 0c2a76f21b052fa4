# SPDX-License-Identifier: GPL-2.0-or-later
"""strongSwan's settings syntax (strongswan.conf(5)): nested sections of ``key = value``.

A value ends with its line, at ``#`` or at ``}``; in double quotes it may hold anything, with the
usual backslashes. Includes and references to other sections are not needed, and refused.
"""

import re
from typing import NamedTuple

from ike.errors import ConfigError

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


class Entry(NamedTuple):
    """A value and its line."""

    value: str
    line: int


class Section:
    """A section: its values and sections by name, in the order of the file."""

    def __init__(self, name: str, line: int) -> None:
        self.name = name
        self.line = line
        self.values: dict[str, Entry] = {}
        self.sections: dict[str, Section] = {}


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def parse(text: str, source: str) -> Section:
    """The sections of a file, in one without a name.

    Args:
        source: What errors call the file.

    Raises:
        ConfigError: It breaks the syntax, with the line.
    """
    return _Parser(text, source).parse()


class _Parser:
    def __init__(self, text: str, source: str) -> None:
        self._source = source
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

    def parse(self) -> Section:
        root = Section("", 1)
        path = [root]
        while (token := self._next()).kind != "end":
            if token.kind == "close" and len(path) > 1:
                path.pop()
            elif token.kind == "word":
                self._statement(path, token)
            else:
                raise self._error(token.line, f"a key or a section expected, not {token.text!r}")
        if len(path) > 1:
            raise self._error(token.line, f"section {path[-1].name} is not closed")
        return root

    def _statement(self, path: list[Section], name: _Token) -> None:
        """``name = value`` or ``name {``."""
        section = path[-1]
        if name.text in section.values or name.text in section.sections:
            raise self._error(name.line, f"{name.text} is there twice")
        following = self._next()
        if following.kind == "open":
            section.sections[name.text] = Section(name.text, name.line)
            path.append(section.sections[name.text])
        elif following.kind == "equals":
            section.values[name.text] = Entry(self._value(), name.line)
        else:
            raise self._error(name.line, f"'=' or '{{' expected after {name.text}")

    def _value(self) -> str:
        words = []
        while (token := self._next(lines=True)).kind in ("word", "quoted", "equals"):
            words.append(_unescape(token.text) if token.kind == "quoted" else token.text)
        if token.kind == "open":
            raise self._error(token.line, "'{' cannot be in a value")
        self._at -= token.kind != "end"
        return " ".join(words)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text, flags=re.DOTALL)
