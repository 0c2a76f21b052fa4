# SPDX-License-Identifier: GPL-2.0-or-later
"""How a node comes to be: a fork of the agent, PID 1 of its own namespaces.

It is a fork of the warm agent, made before any secret reached the agent.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from lab.agent import mounts
from lab.agent.node_init import Init
from lab.agent.recorder import subscribe
from lab.kernel import process, syscalls

_NAMESPACES = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC
)


def fork(name: str, needs: Sequence[str], sysctls: Mapping[str, str]) -> tuple[int, socket.socket]:
    """Fork a node from this process; return its PID and the socket to it.

    Args:
        name: of the node, and its host name.
        needs: paths that must be seen in the node even if they are below /tmp or /run.
        sysctls: to set in its network namespace, such as `net/ipv4/ip_forward`: `1`.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.unshare(syscalls.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        _be(name, theirs, needs, sysctls)
    syscalls.setns(own, syscalls.CLONE_NEWPID)
    os.close(own)
    theirs.close()
    return pid, ours


def _be(
    name: str, control: socket.socket, needs: Sequence[str], sysctls: Mapping[str, str]
) -> NoReturn:
    try:
        process.close_all_but(control.fileno())
        syscalls.die_with_parent(signal.SIGKILL)
        syscalls.unshare(_NAMESPACES)
        recorder = subscribe()
        syscalls.sethostname(name)
        mounts.make(needs)
        for path, value in sysctls.items():
            Path("/proc/sys", path).write_text(value)
        process.rename([f"node {name}"])
        up = json.dumps({"up": name}).encode()
        socket.send_fds(control, [up], [recorder.fileno()] if recorder else [])
    except OSError as trouble:
        control.send(json.dumps({"down": str(trouble)}).encode())
        os._exit(1)
    if recorder:
        recorder.close()
    try:
        Init(control).serve()
    finally:
        traceback.print_exc()
        os._exit(1)
