# SPDX-License-Identifier: GPL-2.0-or-later
"""Where front ends find keepers: by abstract Unix sockets, each side looking who the other is."""

from __future__ import annotations

import compileall
import os
import select
import shlex
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from lab.errors import Hangup, KernelError, NotUp, UsageError
from lab.kernel.plan import LEASH, Plan, socket_name
from lab.protocol.channel import Channel

_DOWN_DEADLINE = 10.0
"""Seconds."""
_PACKAGES = ("tkm", "ike", "lab")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def check_name(name: str) -> None:
    """Raise UsageError unless `name` can be a lab's or a node's.

    It must not begin with `-`, so that it never looks like an option.
    """
    if not name or len(name) > 60 or name[0] == "-" or not _NAME.issuperset(name):
        raise UsageError(
            f"{name!r} is not a name: ASCII letters, digits, - _ . (no - first), at most 60 of them"
        )


def names() -> list[str]:
    """The labs of this user that are up or starting."""
    prefix = "@" + socket_name(os.getuid(), "")[1:]
    words = (line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines())
    found = {word.removeprefix(prefix) for word in words if word.startswith(prefix)}
    return sorted(found)


def meet(name: str) -> tuple[Channel, int, dict[str, Any]]:
    """Connect to a lab's keeper; return the channel, the keeper's PID and its greeting.

    Raises:
        NotUp: there is none of ours.
    """
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(socket_name(os.getuid(), name))
        peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, uid, _ = struct.unpack("3i", peer)
        if uid not in (0, os.getuid()):
            raise NotUp(f"a lab named {name} belongs to somebody else (uid {uid})")
        channel = Channel(sock)
        return channel, pid, channel.receive().body
    except (OSError, Hangup) as gone:
        sock.close()
        raise NotUp(_not_up(name)) from gone


def _not_up(name: str) -> str:
    others = [other for other in names() if other != name]
    known = f" (up: {', '.join(others)})" if others else ""
    build = shlex.join(["tkm-lab", "up", "two-hosts", "--name", name])
    return f"no lab named {name} is up{known}: {build}"


def launch(plan: Plan) -> tuple[Channel, int]:
    """Start a keeper; return the leash, on which it reports how the start goes on, and its PID.

    It has its own session: Ctrl-C reaches the front end, and the keeper by the leash.

    Raises:
        KernelError: this interpreter cannot be executed.
    """
    root = Path(__file__).parents[2]
    for package in _PACKAGES:  # the guest is ten times slower at compiling
        compileall.compile_dir(root / package, quiet=2)
    ours, theirs = socket.socketpair()
    command = [plan.python, "-SEP", str(root / "lab/kernel/__main__.py"), plan.to_json()]
    nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)]
    leash = (os.POSIX_SPAWN_DUP2, theirs.fileno(), LEASH)
    with theirs:
        theirs.set_inheritable(True)  # should it be LEASH already, dup2 would leave it as it is
        actions = [leash, *nothing]
        try:
            pid = os.posix_spawn(
                plan.python, command, os.environ, file_actions=actions, setsid=True, setsigmask=()
            )
        except OSError as trouble:
            ours.close()
            raise KernelError(
                f"cannot execute {plan.python or 'Python'}: {trouble.strerror}:"
                " install tkm-lab where this user may execute it"
            ) from trouble
    return Channel(ours), pid


def end(pid: int) -> None:
    """End a keeper; when it has ended, all is gone.

    Raises ProcessLookupError: it has ended already.
    """
    watch = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(watch, signal.SIGTERM)
        ended, _, _ = select.select([watch], [], [], _DOWN_DEADLINE)
        if not ended:
            signal.pidfd_send_signal(watch, signal.SIGKILL)
            select.select([watch], [], [])
    finally:
        os.close(watch)


def make_plan(name: str, kernel: str, programs: dict[str, str], memory: str, capture: int) -> Plan:
    """The plan of a lab that uses this very interpreter and module search path."""
    root = str(Path(__file__).parents[2])
    path = list(dict.fromkeys([root, *(str(Path(p).absolute()) for p in sys.path if p)]))
    return Plan(
        name=name,
        kernel=kernel,
        python=sys.executable,
        path=path,
        bin=str(Path(sys.executable).parent),
        needs=[*path, sys.prefix, sys.base_prefix],
        programs=programs,
        memory=memory,
        capture=capture,
    )
