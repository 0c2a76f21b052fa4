# SPDX-License-Identifier: GPL-2.0-or-later
"""How a node comes to be: a fork of the agent, PID 1 of its own namespaces.

It is a fork of the warm agent, made before any secret reached the agent.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from lab.agent.init import Init
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
        syscalls.sethostname(name)
        make_mounts(needs)
        for path, value in sysctls.items():
            Path("/proc/sys", path).write_text(value)
        process.rename([f"node {name}"])
        control.send(json.dumps({"up": name}).encode())
    except OSError as trouble:
        control.send(json.dumps({"down": str(trouble)}).encode())
        os._exit(1)
    try:
        Init(control).serve()
    finally:
        traceback.print_exc()
        os._exit(1)


def make_mounts(needs: Sequence[str]) -> None:
    """A private /tmp, /run and /etc, and a /proc and /sys of the node's own namespaces."""
    covered = [Path(p) for p in sorted(set(needs)) if p.startswith(("/tmp/", "/run/"))]
    kept = [(p, os.open(p, os.O_PATH | os.O_CLOEXEC)) for p in covered if p.is_dir()]
    syscalls.mount("proc", "/proc", "proc")
    _mount_if_allowed("sysfs", "/sys", "sysfs")
    for place, mode in (("/tmp", "1777"), ("/run", "755")):
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("node", place, "tmpfs", flags, f"mode={mode}")
    layers = Path("/run/.etc")
    for layer in ("upper", "work"):
        (layers / layer).mkdir(parents=True)
    options = f"lowerdir=/etc,upperdir={layers}/upper,workdir={layers}/work"
    _mount_if_allowed("overlay", "/etc", "overlay", options)
    for path, fd in kept:
        if not path.exists():  # else it is part of one that is back already
            path.mkdir(parents=True)
            syscalls.mount(f"/proc/self/fd/{fd}", path, "", syscalls.MS_BIND | syscalls.MS_REC)
        os.close(fd)


def _mount_if_allowed(source: str, target: str, kind: str, options: str = "") -> None:
    """Mount what a node can do without: an old kernel refuses some of it in a user namespace."""
    try:
        syscalls.mount(source, target, kind, 0, options)
    except OSError as refused:
        sys.stderr.write(f"a node goes without its own {target}: {refused}\n")
