# SPDX-License-Identifier: GPL-2.0-or-later
"""Containment without namespaces: the processes of a guest, as one tree below the keeper.

For hosts that permit no namespaces, such as Docker's containers. Between the keeper and the guest
stands a holder, which inherits orphans (it is a "child subreaper") and, at SIGTERM, kills all of
its descendants. The kernel sends it that signal when the keeper dies, whatever it dies of; and it
kills the guest when the holder dies. Only if both are killed at once, a guest's idle helper
processes can stay.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from lab.errors import KernelError
from lab.kernel import syscalls


def start(body: Callable[[], NoReturn]) -> int:
    """Run `body` in a holder that does not outlive us, and return its PID.

    Args:
        body: called in the holder, whose open files it inherits; its OSErrors are reported here.

    Raises:
        KernelError: `body` failed.
    """
    syscalls.adopt_orphans()
    ours, theirs = socket.socketpair()
    keeper = os.getpid()
    holder = os.fork()
    if holder == 0:
        ours.close()
        _hold(body, theirs, keeper)
    theirs.close()
    if trouble := ours.recv(4096):
        os.waitpid(holder, 0)
        raise KernelError(f"cannot start the lab's kernel: {trouble.decode()}")
    return holder


def _hold(body: Callable[[], NoReturn], report: socket.socket, keeper: int) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, _end)
        syscalls.die_with_parent(signal.SIGTERM)
        if os.getppid() == keeper:
            syscalls.adopt_orphans()
            body()
    except OSError as trouble:
        report.sendall(str(trouble).encode())
    os._exit(1)


def _end(_number: int, _frame: object) -> NoReturn:
    kill_descendants()
    os._exit(0)


def kill_descendants() -> None:
    """Kill all processes below this one, and wait until they are gone."""
    while below := _descendants(os.getpid()):
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _reap()


def _reap() -> None:
    try:
        os.waitpid(-1, 0)
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            children[int(fields[1])].append(int(entry.name))
    found, unseen = [], [root]
    while unseen:
        below = children[unseen.pop()]
        found += below
        unseen += below
    return found
