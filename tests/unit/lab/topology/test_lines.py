# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things stand in a TOML text, as far as TOML can be written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.topology.lines import Path, find, lines

TEXT = '''\
# a comment with [brackets] and = signs
title = "it's [not] a # header"   # but this is a comment

[links.wire]
[ nodes . "alice" ]
addresses = { wire = "192.0.2.1/24", "odd.name" = { deep = 1 } }
routes."10.2.0.0/16" = '192.0.2.2'
story = """
[nodes.bob]
not = "a key" \\"""
"""
list = [
  1.5, 2021-01-01 10:00:00,   # two
  [ "a", "]" ],
  { x = 1 }, { x = 2 },
]
[[policies]]
between = ["alice",
           "bob"]
[policies.lifetime]
soft = 1
[[policies]]
mode = "tunnel"
[[policies.more]]
[[policies.more]]
literal = \'\'\'
[x] 'quoted' \'\'\'
last = true'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("links",), 4),
        (("links", "wire"), 4),
        (("nodes", "alice"), 5),
        (("nodes", "alice", "addresses", "wire"), 6),
        (("nodes", "alice", "addresses", "odd.name", "deep"), 6),
        (("nodes", "alice", "routes", "10.2.0.0/16"), 7),
        (("nodes", "alice", "story"), 8),
        (("nodes", "alice", "list"), 12),
        (("nodes", "alice", "list", 1), 13),
        (("nodes", "alice", "list", 2, 1), 14),
        (("nodes", "alice", "list", 4, "x"), 15),
        (("policies", 0), 17),
        (("policies", 0, "between", 1), 19),
        (("policies", 0, "lifetime", "soft"), 21),
        (("policies", 1), 22),
        (("policies", 1, "mode"), 23),
        (("policies", 1, "more", 0), 24),
        (("policies", 1, "more", 1, "literal"), 26),
        (("policies", 1, "more", 1, "last"), 28),
    ],
)
def test_line_of(path: Path, line: int) -> None:
    assert lines(TEXT)[path] == line


def test_what_is_not_written_is_where_its_table_is() -> None:
    known = lines(TEXT)
    assert find(known, ("policies", 1, "between", 0)) == 22
    assert find(known, ("nodes", "carol")) == 5
    assert find(known, ("parameters", "clients")) == 1


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """All that is in a document."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(below, (*path, key))


def test_knows_all_that_tomllib_knows() -> None:
    assert set(paths(tomllib.loads(TEXT))) == set(lines(TEXT))


VALUES = st.sampled_from(
    ["1", '"a # b"', "'[x]'", "[1,\n 2]", '["x", {a = 1}]', "{ b.c = [], d = '}' }", '"""\n=\n"""']
)
TABLES = st.lists(st.tuples(st.sampled_from(["[t%d]", "[[list]]", "[a.t%d]", "[[a.b]]"]), VALUES))


@given(TABLES)
def test_whatever_is_written_is_found(tables: list[tuple[str, str]]) -> None:
    text, begins = "", {}
    for number, (header, value) in enumerate(tables):
        begins[number] = text.count("\n") + 1
        name = header.replace("%d", str(number))
        text += f"{name} # {number}\nkey{number} = {value}\n\n"
    known = lines(text)
    assert set(paths(tomllib.loads(text))) == set(known)
    for path, line in known.items():
        if path[-1] in [f"key{number}" for number in begins]:
            assert line == begins[int(str(path[-1])[3:])] + 1
