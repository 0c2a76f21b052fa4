# SPDX-License-Identifier: GPL-2.0-or-later
"""The labs of one session, or of one worker of pytest-xdist: each topology is built once.

Tests share a lab, and leave it as they found it; one that cannot asks for a fresh one. Few labs are
up at a time: the one that was not used for longest goes first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.client.lab import Lab
    from lab.kernel.platform import Platform
    from lab.topology import Topology

MOST = 3
"""Shared labs that are up at the same time."""

Report = Callable[[str], None]


class Pool:
    """Builds labs, and ends them.

    `platform` is what they run on. Unless they are to be kept (`keep`), they die with this process,
    however that ends.
    """

    def __init__(self, platform: Platform, *, keep: bool = False) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self._prefix = f"pytest-{os.getpid()}-{worker}"
        self._numbers = count(1)
        self._platform = platform
        self._keep = keep
        self._shared: dict[str, Lab] = {}

    def shared(self, topology: Topology) -> Lab:
        """The lab of this topology, built if there is none, or if it has died. Raises LabError."""
        from lab.errors import LabError
        from lab.protocol.document import encode

        key = json.dumps(encode(topology))
        lab = self._shared.pop(key, None)
        try:
            if lab is not None:
                lab.summary()
        except LabError:
            lab = None
        if lab is None:
            self._make_room()
            lab = self.build(topology)
        self._shared[key] = lab
        return lab

    def build(self, topology: Topology) -> Lab:
        """A lab of its own, which the caller ends. Raises LabError."""
        from lab.build import builder

        name = f"{self._prefix}-{next(self._numbers)}"
        return builder.up(topology, name, keep=self._keep, **self._platform._asdict())

    def _make_room(self) -> None:
        while len(self._shared) >= MOST:
            self._shared.pop(next(iter(self._shared))).down()

    def end(self) -> None:
        """End all shared labs."""
        while self._shared:
            _, lab = self._shared.popitem()
            lab.down()

    @property
    def names(self) -> list[str]:
        """Of the shared labs that are up."""
        return [lab.name for lab in self._shared.values()]


def find_topology(
    wanted: Topology | str | Path,
    folder: Path,
    parameters: Mapping[str, int],
    back_ends: Mapping[str, str],
) -> Topology:
    """A topology by its name, or by a path that is relative to the folder of who asks.

    Raises TopologyError, UsageError.
    """
    from lab.build import backends
    from lab.topology import Topology, load

    if isinstance(wanted, Topology):
        topology = wanted
    else:
        beside = folder / wanted
        topology = load(str(beside if beside.suffix == ".toml" else wanted), parameters)
    return backends.assign(topology, [f"{node}={name}" for node, name in back_ends.items()])
