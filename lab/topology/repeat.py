# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters, and tables that repeat.

    title = "a hub and {clients} clients"

    [parameters]
    clients = 5                                    # tkm-lab up … --set clients=20

    [nodes."client{n}"]
    repeat = "clients"                             # n = 1, 2 … clients
    addresses = { wire = "192.168.0.{n+1}/24" }

In any text, keys included, `{clients}` is a parameter's value and, in a table that repeats, `{n}`
the number of the repetition; `{n+1}` and `{n-1}` add to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.errors import UsageError
from lab.topology.table import NUMBER, TEXT, Key, Table

MOST = 250
"""How often a table may repeat."""

_PLACE = re.compile(r"\{(\w+)([+-]\d+)?\}")


def settings(words: Sequence[str]) -> dict[str, int]:
    """What was given as `--set NAME=NUMBER`.

    Raises UsageError: that is not what it says.
    """
    found = {}
    for word in words:
        name, _, number = word.partition("=")
        if not name or not re.fullmatch(r"-?[0-9]{1,9}", number):
            raise UsageError(f"--set {word}: write NAME=NUMBER, such as clients=20")
        found[name] = int(number)
    return found


def parameters(top: Table, given: Mapping[str, int]) -> dict[str, int]:
    """The file's parameters, with what was given in the place of its own values.

    Raises TopologyError.
    """
    own = top.inside("parameters")
    own.check({name: Key(NUMBER) for name in own.values})
    for name in given:
        if name not in own.values:
            known = ", ".join(own.values) or "none"
            raise top.fault(f"there is no parameter '{name}' to set; known: {known}", "parameters")
    return own.values | dict(given)


def fill(value: Any, numbers: Mapping[str, int]) -> Any:
    """A value with numbers in the place of their names, however deep."""
    if isinstance(value, str):
        return _PLACE.sub(lambda match: _number(match, numbers), value)
    if isinstance(value, dict):
        return {fill(key, numbers): fill(inner, numbers) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, numbers) for inner in value]
    return value


def _number(match: re.Match[str], numbers: Mapping[str, int]) -> str:
    name, more = match.groups()
    return str(numbers[name] + int(more or 0)) if name in numbers else match[0]


def named(top: Table, key: str, numbers: Mapping[str, int]) -> Iterator[tuple[str, Table]]:
    """The tables `[key.NAME]`, each as often as it says, with their names.

    Raises TopologyError.
    """
    found = set()
    for written, value in top.values[key].items():
        row = top.named(f"{key}.{written}", key, written, value=value)
        for number in _times(row, numbers):
            name = fill(written, number)
            if name in found:
                raise row.fault(f"there is a [{key}.{name}] already; write '{{n}}' into its name")
            found.add(name)
            filled = fill(row.values, number)
            yield name, top.named(f"{key}.{name}", key, written, value=filled)


def listed(top: Table, key: str, numbers: Mapping[str, int]) -> Iterator[Table]:
    """The tables `[[key]]`, each as often as it says.

    Raises TopologyError.
    """
    count = 0
    for index, value in enumerate(top.values[key]):
        row = top.named(f"{key} {index + 1}", key, index, value=value)
        for number in _times(row, numbers):
            count += 1
            yield top.named(f"{key} {count}", key, index, value=fill(row.values, number))


def _times(row: Table, numbers: Mapping[str, int]) -> list[Mapping[str, int]]:
    """The numbers for each repetition of a table; it loses its `repeat`."""
    if "repeat" not in row.values:
        return [{}]
    row.check({name: Key((type(value),)) for name, value in row.values.items()} | _REPEAT)
    times = row.values["repeat"]
    if isinstance(times, str):
        if times not in numbers:
            raise row.fault(f"there is no parameter '{times}'; write [parameters]", "repeat")
        times = numbers[times]
    if not 0 <= times <= MOST:
        raise row.fault(f"it can't repeat {times} times, only 0 to {MOST}", "repeat")
    row.values = {name: value for name, value in row.values.items() if name != "repeat"}
    return [{"n": number} for number in range(1, times + 1)]


_REPEAT = {"repeat": Key((*TEXT, *NUMBER))}
