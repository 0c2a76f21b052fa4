# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings from several files, and sections that inherit from others."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ike.config.files import Files
from ike.config.section import Section
from ike.config.settings import parse
from ike.errors import ConfigError

Tree = dict[str, "str | Tree"]


def tree(section: Section) -> Tree:
    """A section as plain dictionaries, without what is cleared."""
    values = {key: entry.value for key, entry in section.values.items() if not entry.cleared}
    return values | {name: tree(inner) for name, inner in section.sections.items()}


def parsed(folder: Path, files: Mapping[str, str]) -> Tree:
    """The first file, with those that it includes."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    reader = Files()

    def include(pattern: str, source: str) -> Iterator[tuple[str, str]]:
        for path in reader.matching(Path(source).parent / pattern):
            yield str(path), reader.read(path).decode()

    first = folder / next(iter(files))
    return tree(parse(first.read_text(), str(first), include))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a": "x = 1\ninclude b\n", "b": "y = 2"}, {"x": "1", "y": "2"}),
        ({"a": "include d/*.conf", "d/1.conf": "x = 1", "d/2.txt": "y = 2"}, {"x": "1"}),
        ({"a": "include d/*.conf", "d/.h.conf": "x = 1", "d/2.conf": "y = 2"}, {"y": "2"}),
        ({"a": "include d/.*", "d/.h.conf": "x = 1", "d/2.conf": "y = 2"}, {"x": "1"}),
        ({"a": "include */x.conf", "d/x.conf": "a = 1", "e/x.conf": "b = 2"}, {"a": "1", "b": "2"}),
        ({"a": "include d/[12].conf", "d/1.conf": "a = 1", "d/3.conf": "b = 2"}, {"a": "1"}),
        ({"a": "include none/*.conf\nx = 1"}, {"x": "1"}),
        ({"a": 'include "with space"\n', "with space": "x = 1"}, {"x": "1"}),
        ({"a": "include with space\n", "with space": "x = 1"}, {"x": "1"}),
        ({"a": "s {\n include b\n}", "b": "x = 1\nt {\n y = 2\n}"},
         {"s": {"x": "1", "t": {"y": "2"}}}),
        ({"a": "include d/b", "d/b": "include c", "d/c": "x = 1"}, {"x": "1"}),
        ({"a": "s {\n x = 1\n y = 1\n}\ninclude b", "b": "s {\n x = 2\n z = 3\n}"},
         {"s": {"x": "2", "y": "1", "z": "3"}}),
        ({"a": "include b\ns {\n x = 1\n}", "b": "s {\n x = 2\n z = 3\n}"},
         {"s": {"x": "1", "z": "3"}}),
        ({"a": "x = 1\ninclude b", "b": "x ="}, {}),
        ({"a": "include = x"}, {"include": "x"}),
        ({"a": "include {\n}"}, {"include": {}}),
        ({"a": "include b # why\nx = 1", "b": "y = 2"}, {"y": "2", "x": "1"}),
    ],
)  # fmt: skip
def test_include(tmp_path: Path, files: Mapping[str, str], expected: Tree) -> None:
    assert parsed(tmp_path, files) == expected


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"a": "x = 1\ninclude none"}, "/none: No such file"),
        ({"a": "include d", "d/x": ""}, "/d: Is a directory"),
        ({"a": "include b", "b": "x = 1\n}"}, "/b:2: a key or a section expected, not '}'"),
        ({"a": "include b\n}", "b": "s {"}, "/b:1: section s is not closed"),
        ({"a": "include b", "b": "x = 1\nx = 2"}, "/b:2: x is there twice"),
        ({"a": "s {\n}\ns {\n}"}, "/a:3: s is there twice"),
        ({"a": "x = 1\ninclude b", "b": "x {\n}"}, "/b:1: x is there twice"),
        ({"a": "include a"}, "/a:1: more than 10 files include each other"),
        ({"a": "s {" * 17 + "}" * 17}, "/a:1: more than 16 sections in each other"),
    ],
)
def test_what_cannot_be_included(tmp_path: Path, files: Mapping[str, str], error: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(tmp_path, files)
    assert error in str(refused.value)


def test_a_message_includes_nothing() -> None:
    with pytest.raises(ConfigError, match="a file:1: include is not possible here"):
        parse("include b", "a file")


DEFAULTS = "d {\n x = 1\n s {\n y = 2\n z = 3\n }\n}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEFAULTS + "c : d {\n}", {"c": {"x": "1", "s": {"y": "2", "z": "3"}}}),
        (DEFAULTS + "c:d{\n}", {"c": {"x": "1", "s": {"y": "2", "z": "3"}}}),
        (DEFAULTS + "c: d\n{\n}", {"c": {"x": "1", "s": {"y": "2", "z": "3"}}}),
        ("c : d {\n}\n" + DEFAULTS, {"c": {"x": "1", "s": {"y": "2", "z": "3"}}}),
        (DEFAULTS + "c : d {\n x = 9\n s {\n y = 8\n }\n}",
         {"c": {"x": "9", "s": {"y": "8", "z": "3"}}}),
        (DEFAULTS + "c : d {\n x =\n s {\n y =\n }\n}", {"c": {"s": {"z": "3"}}}),
        (DEFAULTS + 'c : d {\n x = ""\n}', {"c": {"x": "", "s": {"y": "2", "z": "3"}}}),
        (DEFAULTS + "e {\n x = 5\n w = 6\n}\nc : d, e {\n}",
         {"c": {"x": "1", "w": "6", "s": {"y": "2", "z": "3"}}}),
        (DEFAULTS + "e {\n x = 5\n w = 6\n}\nc : e,d {\n}",
         {"c": {"x": "5", "w": "6", "s": {"y": "2", "z": "3"}}}),
        (DEFAULTS + "e : d {\n x = 5\n}\nc : e {\n}", {"c": {"x": "5", "s": {"y": "2", "z": "3"}}}),
        (DEFAULTS + "c {\n s : d.s {\n }\n}",
         {"c": {"s": {"y": "2", "z": "3"}}}),
        ("kept {\n a {\n x = 1\n }\n b : kept.a {\n y = 2\n }\n}",
         {"kept": {"a": {"x": "1"}, "b": {"y": "2", "x": "1"}}}),
        ("t {\n k = 1\n}\nd {\n s {\n i : t {\n }\n }\n}\nc : d {\n s {\n i {\n m = 2\n }\n }\n}",
         {"c": {"s": {"i": {"m": "2", "k": "1"}}}}),
    ],
)  # fmt: skip
def test_inheritance(text: str, expected: Tree) -> None:
    assert tree(parse(text, "a file", kept=["kept"])) == expected


def test_another_file_adds_what_is_inherited(tmp_path: Path) -> None:
    files = {"a": DEFAULTS + "e {\n w = 6\n}\nc : e {\n}\ninclude b", "b": "c : d {\n}"}
    assert parsed(tmp_path, files) == {"c": {"w": "6", "x": "1", "s": {"y": "2", "z": "3"}}}


DOUBLING = "s12 {\n}\nt12 {\n}\n" + "".join(
    f"{name}{n} : s{n + 1}, t{n + 1} {{\n}}\n" for n in range(12) for name in "st"
)
"""Each section inherits from two, which do, too."""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("c : d {\n}", "a file:1: c inherits from d, which is not there"),
        ("d {\n}\nc : d.s {\n}", "a file:3: c inherits from d.s, which is not there"),
        ("c : c {\n}", "a file:1: c inherits from itself"),
        ("a : b {\n}\nb : a {\n}", "inherits from itself"),
        ("c {\n s : c {\n }\n}", "more than 16 sections in each other"),
        ("d {\n}\nc : d, d {\n}", "a file:3: a section is inherited twice"),
        ("c : {\n}", "a file:1: '' does not name sections, such as a, b.c"),
        ("c : d, {\n}", "a file:1: 'd,' does not name sections"),
        ("c : d e {\n}", "a file:1: 'd e' does not name sections"),
        ("c : .d {\n}", "a file:1: '.d' does not name sections"),
        ("c : d = 1", "a file:1: '=' or '{' expected after c"),
        ("c d {\n}", "a file:1: '=' or '{' expected after c"),
        (DOUBLING, "inherits from more than 1000 sections"),
    ],
)  # fmt: skip
def test_what_cannot_be_inherited(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, "a file")
    assert error in str(refused.value)
