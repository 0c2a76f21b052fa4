# SPDX-License-Identifier: GPL-2.0-or-later
"""From a table of a scenario to a step, by the table of all kinds of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

from lab.scenario.errors import ScenarioError
from lab.scenario.step import Step, default, keys
from lab.scenario.steps import STEPS
from lab.topology import Topology


def read_step(row: Any, names: Topology) -> Step:
    """The step that a table of a scenario describes.

    Raises ScenarioError: it describes none, and what would.
    """
    if not isinstance(row, dict) or not row:
        raise ScenarioError('a step is a table such as { ping = "alice -> bob" }')
    found = [name for name in row if name in STEPS]
    if len(found) != 1:
        there = "which of them is meant?" if found else f"there is: {', '.join(STEPS)}"
        raise ScenarioError(f"no step is called '{', '.join(found or row)}'; {there}")
    return _read(STEPS[found[0]], row, names)


def _read(cls: type[Step], row: Mapping[str, Any], names: Topology) -> Step:
    known = {one.name: one for one in keys(cls)}
    if unknown := row.keys() - known.keys():
        there = ", ".join(known)
        raise ScenarioError(f"{cls.kind}: unknown key '{min(unknown)}'; known are {there}")
    values = {}
    for name, one in known.items():
        if name in row:
            try:
                values[name] = one.metadata["read"](row[name], names)
            except ScenarioError as trouble:
                raise ScenarioError(f"{name}: {trouble}") from trouble
        elif default(one) is MISSING:
            raise ScenarioError(f"{cls.kind}: {name} is missing: {one.metadata['words']}")
    step = cls(**values)
    step.check(names)
    return step
