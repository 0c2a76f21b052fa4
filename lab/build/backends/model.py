# SPDX-License-Identifier: GPL-2.0-or-later
"""What a back end is: data about files and daemons. How they are started is `running`'s job."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lab.build.files import File
from lab.topology import Node, Topology

if TYPE_CHECKING:
    from lab.pki import CA, Identity

FOLDERS = (
    *("/usr/sbin", "/usr/lib/ipsec", "/usr/libexec/ipsec"),
    *("/usr/local/sbin", "/usr/local/lib/ipsec", "/usr/local/libexec/ipsec"),
)
"""Where programs of strongSwan lie that are in nobody's PATH."""

Argv = tuple[str, ...]
Files = Callable[[Topology, Node, "CA", "Identity"], Mapping[str, File]]


class Daemon(NamedTuple):
    """A program that stays. It is ready when `socket` accepts, or when it has printed `line`."""

    name: str
    argv: Argv
    socket: str = ""
    line: str = ""


def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Backend:
    """Who does IKE on a node."""

    name: str
    files: Files
    """What lies on the node's disk, from the topology, its root CA and the node's identity."""
    stages: Callable[[], Sequence[Sequence[Daemon]]]
    """Its daemons: those of one stage start side by side when all before them are ready."""
    configure: Callable[[], Sequence[Argv]] = tuple
    """Commands that make more files on the node, before the daemons start."""
    lack: Callable[[], str] = _nothing
    """What is missing on this machine, and what mends it; "" if nothing is."""
    does_nat_traversal: bool = True
    """Whether its ESP goes through a NAT gateway, in UDP (RFC 3948)."""

    @property
    def daemons(self) -> list[Daemon]:
        """All its daemons, in the order in which they start."""
        return [daemon for stage in self.stages() for daemon in stage]


NONE = Backend("none", files=lambda *_: {}, stages=tuple)


def find(*programs: str) -> str:
    """The path of the first of these programs that is installed; "" if none is."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *FOLDERS))
    return next(filter(None, (shutil.which(program, path=path) for program in programs)), "")
