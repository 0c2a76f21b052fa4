# SPDX-License-Identifier: GPL-2.0-or-later
"""A child process that is PID 1 of its own namespaces and does not outlive the keeper.

It is the containment of a lab: when PID 1 of a PID namespace dies the kernel kills all others in
it, and with the last process go its mounts and networks. PID 1 itself dies with the keeper by the
parent death signal, whatever the keeper dies of.

The keeper stays outside: a process inside a user namespace could not distinguish root from a
stranger. So a short-lived child enters the namespaces and forks PID 1, which the keeper adopts (it
is a "child subreaper"); only then PID 1 asks for the death signal, else it would die with its first
parent.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from lab.errors import KernelError
from lab.kernel import syscalls

_GO = b"g"


def start(enter: int, body: Callable[[], NoReturn]) -> int:
    """Run `body`, which ends in an exec, as PID 1 of new namespaces; return its host PID.

    Args:
        enter: CLONE_* flags of the namespaces beside the PID and, if not root, user namespace.
        body: called in the child, whose open files it inherits; its OSErrors are reported here.

    Raises:
        KernelError: the namespaces cannot be had, or `body` failed.
    """
    syscalls.adopt_orphans()
    ours, theirs = socket.socketpair()
    parent = os.fork()
    if parent == 0:
        ours.close()
        _enter_and_fork(enter, body, theirs)
    theirs.close()
    os.waitpid(parent, 0)
    report = ours.recv(4096)
    if not report.startswith(b"pid "):
        raise KernelError(f"cannot make namespaces for the lab: {report.decode() or 'killed'}")
    ours.sendall(_GO)
    if trouble := ours.recv(4096):
        raise KernelError(f"cannot start the lab's kernel: {trouble.decode()}")
    return int(report[4:])


def _enter_and_fork(enter: int, body: Callable[[], NoReturn], keeper: socket.socket) -> NoReturn:
    try:
        _unshare_pid()
        first = os.fork()
        if first == 0:
            _first(enter, body, keeper)
        keeper.sendall(b"pid %d" % first)
    except OSError as trouble:
        keeper.sendall(str(trouble).encode())
    os._exit(0)


def _unshare_pid() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            syscalls.unshare(syscalls.CLONE_NEWPID)
        except PermissionError:  # root of a container that may not: as an ordinary user would
            pass
        else:
            return
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWPID)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _first(enter: int, body: Callable[[], NoReturn], keeper: socket.socket) -> NoReturn:
    try:
        if keeper.recv(1) == _GO:
            syscalls.die_with_parent(signal.SIGKILL)
            keeper.setblocking(False)
            _exit_if_hung_up(keeper)
            keeper.setblocking(True)
            syscalls.unshare(enter)
            if enter & syscalls.CLONE_NEWNS:
                _keep_mounts()
            body()
    except OSError as trouble:
        keeper.sendall(str(trouble).encode())
    os._exit(1)


def _keep_mounts() -> None:
    """No mount of ours shall reach the host."""
    try:
        syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    except OSError as refused:
        if refused.errno != errno.EINVAL:
            raise
        remedy = "in this chroot / is not a mount point: leave it, mount --bind DIR DIR, chroot DIR"
        raise OSError(remedy) from refused


def _exit_if_hung_up(keeper: socket.socket) -> None:
    """The keeper may have died before the death signal was asked for."""
    try:
        keeper.recv(1)
    except BlockingIOError:
        return
    os._exit(1)
