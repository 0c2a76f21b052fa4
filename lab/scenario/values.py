# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands on the right of `=` in a step: read, checked against the topology, and explained.

A reader takes a TOML value and the topology's names, and returns what the step works with. What it
raises is one line that says what would be right; where that stands, its caller adds.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lab.scenario.errors import ScenarioError
from lab.topology import Topology

Reader = Callable[[Any, Topology], Any]


class Pair(NamedTuple):
    """Two hosts; the first one acts, or is looked at first."""

    source: str
    destination: str
    both: bool
    """Written with `<->`."""

    def __str__(self) -> str:
        return f"{self.source} {'<->' if self.both else '->'} {self.destination}"


class Daemon(NamedTuple):
    """A program on a host."""

    name: str
    node: str

    def __str__(self) -> str:
        return f"{self.name} on {self.node}"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Some of the packets on a link; None: whatever it is."""

    kind: str
    source: str | None
    destination: str | None

    def __str__(self) -> str:
        words = [self.kind]
        words += [f"from {self.source}"] if self.source else []
        words += [f"to {self.destination}"] if self.destination else []
        return " ".join(words)


CHOICES: dict[Reader, tuple[str, ...]] = {}
"""The words that each reader made by `one_of` takes."""
KINDS = ("ESP", "ESP in UDP", "IKE", "plain text", "ARP", "packets")
"""What `Traffic` can be of; "packets" is all of it."""


def text(value: Any, _: Topology) -> str:
    """Some text."""
    if not isinstance(value, str) or not value:
        raise ScenarioError(f"{_shown(value)} is not a text")
    return value


def texts(value: Any, names: Topology) -> tuple[str, ...]:
    """A text, or a list of them."""
    return tuple(text(each, names) for each in (value if isinstance(value, list) else [value]))


def flag(value: Any, _: Topology) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ScenarioError(f"{_shown(value)} is neither true nor false")
    return value


def number(value: Any, _: Topology) -> int:
    """A whole number, 0 or more."""
    if type(value) is not int or value < 0:
        raise ScenarioError(f"{_shown(value)} is not a whole number from 0 up")
    return value


def seconds(value: Any, _: Topology) -> float:
    """A span of time in seconds, such as 5 or 0.5."""
    if type(value) not in (int, float) or not 0 <= value <= 3600:
        raise ScenarioError(f"{_shown(value)} is not a number of seconds from 0 to 3600")
    return float(value)


def percent(value: Any, _: Topology) -> float:
    """A share in per cent."""
    if type(value) not in (int, float) or not 0 <= value <= 100:
        raise ScenarioError(f"{_shown(value)} is not a percentage from 0 to 100")
    return float(value)


def node(value: Any, names: Topology) -> str:
    """The name of a host."""
    if value not in names.nodes:
        raise ScenarioError(f"there is no node {_shown(value)}; there is: {_row(names.nodes)}")
    return str(value)


def link(value: Any, names: Topology) -> str:
    """The name of a link."""
    if value not in names.links:
        raise ScenarioError(f"there is no link {_shown(value)}; there is: {_row(names.links)}")
    return str(value)


def nodes(value: Any, names: Topology) -> tuple[str, ...]:
    """The name of a host, a list of names, or "all"."""
    if value == "all":
        return tuple(names.nodes)
    return tuple(node(each, names) for each in (value if isinstance(value, list) else [value]))


def pair(value: Any, names: Topology) -> Pair:
    """Two hosts, such as "alice -> bob"; "alice <-> bob" where both are looked at."""
    found = re.fullmatch(r"(\S+) (<?)-> (\S+)", value) if isinstance(value, str) else None
    if not found:
        raise ScenarioError(f'{_shown(value)} names no two nodes: write "alice -> bob"')
    source, destination = node(found[1], names), node(found[3], names)
    if source == destination:
        raise ScenarioError(f"{_shown(value)}: {source} cannot be at both ends")
    return Pair(source, destination, bool(found[2]))


def protected(value: Any, names: Topology) -> Pair:
    """Two hosts that have a policy, such as "alice -> bob"."""
    ends = pair(value, names)
    if not any({*policy.between} == {*ends[:2]} for policy in names.policies):
        there = _row(" and ".join(policy.between) for policy in names.policies)
        raise ScenarioError(f"no policy is between {_shown(value)}; there is: {there}")
    return ends


def daemon(value: Any, names: Topology) -> Daemon:
    """A program on a host, such as "tkm_iked on alice"."""
    name, on, where = value.rpartition(" on ") if isinstance(value, str) else ("", "", "")
    if not on or not name:
        raise ScenarioError(f'{_shown(value)} names no program: write "tkm_iked on alice"')
    return Daemon(name, node(where, names))


def traffic(value: Any, names: Topology) -> Traffic:
    """Packets, such as "ESP", "IKE to bob", "plain text from alice to bob"."""
    kinds = "|".join(sorted(KINDS, key=len, reverse=True))
    form = rf"({kinds})(?: from (\S+))?(?: to (\S+))?"
    found = re.fullmatch(form, value) if isinstance(value, str) else None
    if not found:
        kinds = ", ".join(KINDS)
        raise ScenarioError(
            f'{_shown(value)} describes no packets: write "KIND from NODE to NODE"; KIND is {kinds}'
        )
    ends = [each and node(each, names) for each in found.groups()[1:]]
    return Traffic(found[1], ends[0], ends[1])


def command(value: Any, names: Topology) -> tuple[str, ...]:
    """A command as one would type it, or as a list of its words."""
    if isinstance(value, list):
        return tuple(text(each, names) for each in value)
    try:
        return tuple(shlex.split(text(value, names)))
    except ValueError as trouble:
        raise ScenarioError(f"{_shown(value)} is not a command: {trouble}") from trouble


def pattern(line: str) -> re.Pattern[str]:
    """What a line must contain: the text as it stands, but "…" is anything."""
    return re.compile(".*".join(re.escape(piece) for piece in line.split("…")))


def counters(value: Any, _: Topology) -> Mapping[str, int]:
    """A table of counters, such as { XfrmInStateSeqError = 3 }."""
    if not isinstance(value, dict) or not value:
        raise ScenarioError(f"{_shown(value)} is not a table such as {{ XfrmInNoStates = 1 }}")
    for name, count in value.items():
        if not re.fullmatch(r"Xfrm\w+", name) or type(count) is not int:
            raise ScenarioError(f"{name} = {_shown(count)}: write XfrmName = a whole number")
    return value


def values(value: Any, _: Topology) -> Mapping[str, str]:
    """A table of texts."""
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise ScenarioError(f'{_shown(value)} is not a table such as {{ encr-alg = "AES_CBC" }}')
    return value


def one_of(*choices: str) -> Reader:
    """One of a few words."""

    def read(value: Any, _: Topology) -> str:
        if value not in choices:
            raise ScenarioError(f"{_shown(value)} is unknown: write {' or '.join(choices)}")
        return str(value)

    CHOICES[read] = choices
    read.__doc__ = " or ".join(f"`{choice}`" for choice in choices) + "."
    return read


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def _row(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
