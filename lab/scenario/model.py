# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios: what happens in a lab, and what must hold. A TOML file each:

    title = "alice sets up the tunnel"
    holds = "An SA comes up when it is asked for; ESP carries what the hosts say."
    topology = "two-hosts"
    far = ["bob"]                        # whose IKE back end `--far` changes

    steps = [
        { initiate = "alice -> bob" },
        { ping = "alice -> bob", within = 5 },
        { expect_packets = "ESP from alice to bob" },
    ]

docs/scenarios.md has all keys and all kinds of steps.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from lab import topology
from lab.errors import UsageError
from lab.scenario.certificates import FLAWS
from lab.scenario.errors import ScenarioError
from lab.scenario.needs import FEATURES
from lab.scenario.reading import read_step
from lab.scenario.step import Step
from lab.scenario.steps.hosts import Up
from lab.topology import IKE, Topology
from lab.topology.lines import Path as Place
from lab.topology.lines import find, lines


@dataclass(frozen=True)
class Scenario:
    """A scenario that is valid."""

    name: str
    title: str
    holds: str
    """What must hold, in words."""
    topology: Topology
    """With the scenario's own parameters and back ends."""
    steps: Sequence[Step]
    far: tuple[str, ...] = ()
    """The nodes whose back end may be another; none if the scenario is about all of them."""
    needs: tuple[str, ...] = ()
    """What every IKE daemon in it must know, see `lab.scenario.needs`."""
    identities: Mapping[str, str] = field(default_factory=dict)
    """By node, what is wrong with its certificate."""
    far_lifetime: Mapping[str, int] = field(default_factory=dict)
    """What `soft` and `hard` are at the far side, where it is not the same."""
    plain_text: bool = False
    """Whether plain text is fine on a black link, after all."""

    def topology_of(self, node: str) -> Topology:
        """The topology as a host's own configuration has it."""
        if node not in self.far or not self.far_lifetime:
            return self.topology
        changes: dict[str, Any] = dict(self.far_lifetime)
        policies = tuple(replace(policy, **changes) for policy in self.topology.policies)
        return replace(self.topology, policies=policies)

    def with_far(self, backend: str) -> Scenario:
        """The scenario with another back end at the far side; the same, if it has none."""
        return self.with_ike(dict.fromkeys(self.far, backend))

    def with_ike(self, backends: Mapping[str, str]) -> Scenario:
        """The scenario with other IKE back ends on some nodes. Raises UsageError."""
        nodes = dict(self.topology.nodes)
        for name, backend in backends.items():
            if backend not in IKE:
                raise UsageError(f"no back end is called {backend}; there is: {', '.join(IKE)}")
            nodes[name] = replace(self.topology.node(name), ike=backend)
        return replace(self, topology=replace(self.topology, nodes=nodes))


def shipped() -> dict[str, Path]:
    """The scenarios that come with the lab, by name."""
    # Beside our package, in a clone and where it is installed; anybody may have a `scenarios` of
    # their own to import.
    folder = Path(str(resources.files("lab"))).parent / "scenarios"
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def load(name: str) -> Scenario:
    """A scenario: one of ours by its name, or the file at a path.

    Raises ScenarioError: there is none, or it is not valid.
    """
    file = shipped().get(name, Path(name))
    if not file.suffix:
        raise ScenarioError(f"there is no scenario '{name}': tkm-lab run --list, or a path.toml")
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as trouble:
        raise ScenarioError(f"{file}: {trouble.strerror}") from trouble
    except UnicodeDecodeError as trouble:
        raise ScenarioError(f"{file}: it is not UTF-8") from trouble
    return parse(file.stem, text, str(file))


def parse(name: str, text: str, file: str = "") -> Scenario:
    """The scenario in a text; `file` is what errors call it.

    Raises ScenarioError: it is not valid; says the line, and what would be right.
    """
    file = file or name
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as trouble:
        at = re.search(r"\(at line (\d+)", str(trouble))
        line = at[1] if at else text.count("\n") + 1
        raise ScenarioError(f"{file}:{line}: {str(trouble).partition(' (at')[0]}") from trouble
    try:
        return _Reader(document, Path(file).parent).scenario(name)
    except _Misplaced as trouble:
        line = find(lines(text), trouble.place)
        raise ScenarioError(f"{file}:{line}: {trouble}") from trouble


class _Misplaced(UsageError):
    """Something is wrong at a place of the document."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(text)
        self.place = place


KEYS: Mapping[str, tuple[type, Any]] = {
    "title": (str, None),
    "holds": (str, None),
    "topology": (str, "two-hosts"),
    "set": (dict, {}),
    "ike": (dict, {}),
    "lifetime": (dict, {}),
    "far_lifetime": (dict, {}),
    "proposals": (dict, {}),
    "far": (list, []),
    "needs": (list, []),
    "identities": (dict, {}),
    "plain_text": (bool, False),
    "steps": (list, None),
}
"""Each key of a scenario, with its type and default (None: required)."""
_WORDS = {str: "a text", dict: "a table", list: "a list", bool: "true or false"}


class _Reader:
    def __init__(self, document: Mapping[str, Any], folder: Path) -> None:
        self._folder = folder
        if unknown := document.keys() - KEYS.keys():
            name = min(unknown)
            known = ", ".join(KEYS)
            raise _Misplaced((name,), f"unknown key '{name}'; known are {known}")
        self._values = {name: self._value(document, name) for name in KEYS}

    def _value(self, document: Mapping[str, Any], name: str) -> Any:
        kind, default = KEYS[name]
        value = document.get(name, default)
        if value is None:
            raise _Misplaced((), f"{name} is missing")
        if type(value) is not kind:
            raise _Misplaced((name,), f"{name} must be {_WORDS[kind]}")
        return value

    def scenario(self, name: str) -> Scenario:
        plan = self._topology()
        values = self._values
        self._check_names("far", plan.nodes)
        self._check_names("needs", FEATURES)
        found = tuple(self._step(number, row, plan) for number, row in enumerate(values["steps"]))
        if not found:
            raise _Misplaced(("steps",), "a scenario needs steps: write steps = [ … ]")
        if not isinstance(found[0], Up):
            found = (Up(up="all"), *found)
        return Scenario(
            name=name,
            title=values["title"],
            holds=" ".join(values["holds"].split()),
            topology=plan,
            steps=found,
            far=tuple(values["far"]),
            needs=tuple(values["needs"]),
            identities=self._identities(plan),
            far_lifetime=self._changes("far_lifetime", int),
            plain_text=values["plain_text"],
        ).with_ike(self._values["ike"])

    def _check_names(self, key: str, known: Iterable[str]) -> None:
        for number, name in enumerate(self._values[key]):
            if name not in known:
                there = ", ".join(known)
                raise _Misplaced((key, number), f"{key}: '{name}' is unknown; known are {there}")

    def _topology(self) -> Topology:
        """One that is shipped, or a path from where the scenario is; with what is changed of it."""
        wanted: str = self._values["topology"]
        path = self._folder / wanted
        try:
            plan = topology.load(str(path) if path.suffix else wanted, self._values["set"])
        except UsageError as trouble:
            raise _Misplaced(("topology",), f"topology: {trouble}") from trouble
        changes = self._changes("lifetime", int) | self._changes("proposals", str)
        policies = tuple(replace(policy, **changes) for policy in plan.policies)
        for name in self._values["ike"]:
            if name not in plan.nodes:
                raise _Misplaced(("ike", name), f"ike: there is no node '{name}'")
        return replace(plan, policies=policies)

    def _changes(self, table: str, kind: type) -> dict[str, Any]:
        """Lifetimes (numbers) or proposals (texts) of the scenario's own."""
        known = ("soft", "hard") if kind is int else ("ike", "esp")
        for name, value in self._values[table].items():
            if name not in known or type(value) is not kind:
                what = "a number of seconds" if kind is int else "a text"
                raise _Misplaced((table, name), f"{table}: write {' or '.join(known)} = {what}")
        return dict(self._values[table])

    def _identities(self, plan: Topology) -> Mapping[str, str]:
        for node, flaw in self._values["identities"].items():
            if node not in plan.nodes:
                raise _Misplaced(("identities", node), f"identities: there is no node '{node}'")
            if flaw not in FLAWS:
                known = ", ".join(FLAWS)
                place = ("identities", node)
                raise _Misplaced(place, f"identities: '{flaw}' is unknown; known are {known}")
        return dict(self._values["identities"])

    def _step(self, number: int, row: Any, plan: Topology) -> Step:
        try:
            return read_step(row, plan)
        except ScenarioError as trouble:
            raise _Misplaced(("steps", number), f"step {number + 1}: {trouble}") from trouble
