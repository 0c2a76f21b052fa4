# SPDX-License-Identifier: GPL-2.0-or-later
"""What a topology adds to a node: files of its own, and programs that run on it."""

from __future__ import annotations

import posixpath
import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lab.topology.model import Program
from lab.topology.table import Table

_PRIVATE = ("/etc/", "/run/", "/tmp/")
"""Where a node has files of its own; the rest is this machine's."""
_TAKEN = ("/etc/hosts", "/run/hosts")
_TAKEN_FOLDER = "/etc/tkm/"


def files(table: Table) -> Mapping[str, str]:
    """The table `files`: path -> content. Raises TopologyError."""
    found: Mapping[str, Any] = table.values["files"]
    for path, content in found.items():
        if not isinstance(content, str):
            raise table.fault(f"the content of {path} must be a text", "files", path)
        if reason := _fault(path):
            raise table.fault(reason, "files", path)
    return found


def _fault(path: str) -> str:
    """What is wrong with the path of a file, or ""."""
    if posixpath.normpath(path) != path or "\0" in path or not path.startswith(_PRIVATE):
        return f"'{path}' is not a path below /etc, /run or /tmp, where a node has its own files"
    if path in _TAKEN or f"{path}/".startswith(_TAKEN_FOLDER):
        return f"{path} is written by the lab itself; write another path"
    return ""


def programs(table: Table) -> tuple[Program, ...]:
    """The list `run`: a command line for each program. Raises TopologyError."""
    names: Counter[str] = Counter()
    found = []
    for index, line in enumerate(table.values["run"]):
        argv = _words(table, index, line)
        name = posixpath.basename(argv[0])
        names[name] += 1
        number = names[name]
        found.append(Program(name if number == 1 else f"{name}-{number}", argv))
    return tuple(found)


def _words(table: Table, index: int, line: Any) -> tuple[str, ...]:
    example = 'write one such as "python3 -m http.server 80"'
    if not isinstance(line, str):
        raise table.fault(f"a command is a text; {example}", "run", index)
    try:
        argv = tuple(shlex.split(line))
    except ValueError as trouble:
        raise table.fault(f"the command {line!r}: {trouble}; {example}", "run", index) from trouble
    if not argv or not posixpath.basename(argv[0]) or "\0" in line:
        raise table.fault(f"{line!r} is not a command; {example}", "run", index)
    return argv
