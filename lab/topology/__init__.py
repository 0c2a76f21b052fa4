# SPDX-License-Identifier: GPL-2.0-or-later
"""Topologies: TOML files, ours by their names or anybody's by their paths. docs/topologies.md.

======= ==================================================================
model   hosts, links, policies
parse   from text to model, with `table`, `lines` and `repeat` for the TOML
rules   what the parts must be to each other, with `route` for the way of a packet
======= ==================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from lab.topology.model import (
    IKE,
    ROOT,
    Address,
    End,
    Interface,
    Link,
    Network,
    Node,
    Policy,
    Program,
    Topology,
    TopologyError,
    lies_in,
)
from lab.topology.parse import parse
from lab.topology.repeat import settings

__all__ = [
    "IKE",
    "ROOT",
    "Address",
    "End",
    "Interface",
    "Link",
    "Network",
    "Node",
    "Policy",
    "Program",
    "Topology",
    "TopologyError",
    "lies_in",
    "load",
    "parse",
    "settings",
    "shipped",
]


def shipped() -> dict[str, Path]:
    """The topologies that come with the lab, by name."""
    folder = Path(str(resources.files("lab") / "topologies"))
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def load(name: str, settings: Mapping[str, int] | None = None) -> Topology:
    """A topology: one of ours by its name, or the file at a path.

    `settings` are values for its parameters. Raises TopologyError: there is none, or it is not
    valid; the message says file, line and remedy.
    """
    ours = shipped()
    file = ours.get(name)
    if file is None:
        file = Path(name)
        if not file.suffix and "/" not in name:
            known = ", ".join(ours)
            raise TopologyError(f"there is no topology '{name}': try {known}, or a path.toml")
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as trouble:
        raise TopologyError(f"{file}: {trouble.strerror}") from trouble
    except UnicodeDecodeError as trouble:
        raise TopologyError(f"{file}: it is not UTF-8") from trouble
    return parse(file.stem, text, settings, str(file))
