# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario needs of every IKE daemon in it, and who has it since when."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from lab.build.backends.model import find
from lab.scenario.errors import CouldNotRun

if TYPE_CHECKING:
    from lab.topology import Topology

Version = tuple[int, ...]

FEATURES: Final[Mapping[str, Version]] = {
    "multiple key exchanges": (6, 0),
}
"""Each feature that not every charon has, and the first version that does. tkm_iked has all."""


def check(topology: Topology, features: Iterable[str]) -> None:
    """Raises CouldNotRun: a back end of the topology lacks one of the features."""
    for node in topology.nodes.values():
        for feature in features:
            if node.ike == "strongswan" and _version() < FEATURES[feature]:
                has, since = (".".join(map(str, v)) for v in (_version(), FEATURES[feature]))
                raise CouldNotRun(f"charon {has} on {node.name} has no {feature} ({since} has)")


@cache
def _version() -> Version:
    """Of strongSwan as it is installed; all its programs have the same.

    Raises CouldNotRun: nobody can tell.
    """
    done = subprocess.run(
        [find("swanctl") or "swanctl", "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"strongSwan (\d+(?:\.\d+)*)", done.stdout + done.stderr)
    if not found:
        raise CouldNotRun("swanctl --version does not say which strongSwan is installed")
    return tuple(map(int, found[1].split(".")))
