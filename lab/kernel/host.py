# SPDX-License-Identifier: GPL-2.0-or-later
"""This host's kernel as the lab kernel: the agent as PID 1 of fresh namespaces."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import NoReturn

from lab.kernel import contain, syscalls
from lab.kernel.boot import Started
from lab.kernel.plan import Plan

_NAMESPACES = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC
)


def start(plan: Plan, stream: socket.socket, console: int) -> Started:
    """Start the agent; `console` is where its own complaints go."""

    def run() -> NoReturn:
        entry = Path(__file__).parents[1] / "agent" / "host_init.py"
        os.dup2(console, 1)
        os.dup2(console, 2)
        os.set_inheritable(stream.fileno(), True)
        command = [plan.python, "-SEBP", str(entry), str(stream.fileno()), plan.to_json()]
        os.execv(plan.python, command)

    return Started(contain.start(_NAMESPACES, run))
