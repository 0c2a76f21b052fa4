# SPDX-License-Identifier: GPL-2.0-or-later
"""How a guest is started and held: alike for User-Mode Linux and for QEMU."""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from lab.kernel import contain, place, process, syscalls, tree
from lab.kernel.place import Place
from lab.kernel.plan import Plan

_NAMESPACES = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC

Command = Callable[[Place], list[str]]
"""The command line of a guest, the path of its program first."""


class Started(NamedTuple):
    """A lab's kernel, as the keeper holds it."""

    pid: int
    """The process that ends when the kernel has ended, and with which it ends."""
    place: Place | None = None
    """A folder of this host to remove once the guest has started."""


def start(plan: Plan, stream: socket.socket, console: int, command: Command) -> Started:
    """Start a guest, in namespaces of its own where the plan has them.

    Args:
        plan: the lab's.
        stream: the guest's end of the line to the keeper, which the command names by number.
        console: where the guest prints.
        command: makes the command line.

    Raises:
        KernelError: it cannot be contained or started.
    """

    def hold(where: Place) -> NoReturn:
        where.furnish(plan)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        guest = _spawn(command(where), where, stream, console)
        os.dup2(console, 1)
        os.dup2(console, 2)
        process.close_all_but(2)
        process.rename([f"tkm-lab: init of {plan.name}'s kernel"])
        _wait_for(guest)

    def in_namespaces() -> NoReturn:
        place.PRIVATE.mount()
        hold(place.PRIVATE)

    if plan.namespaces:
        return Started(contain.start(_NAMESPACES, in_namespaces))
    folder = place.temporary(plan.memory)
    try:
        return Started(tree.start(lambda: hold(folder)), folder)
    except BaseException:
        folder.remove()
        raise


def _spawn(command: list[str], where: Place, stream: socket.socket, console: int) -> int:
    """Fork the guest, which dies with us."""
    parent = os.getpid()
    guest = os.fork()
    if guest:
        return guest
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        syscalls.die_with_parent(signal.SIGKILL)
        if os.getppid() == parent:
            nothing = os.open(os.devnull, os.O_RDONLY)
            for number, source in enumerate((nothing, console, console)):
                os.dup2(source, number)
            os.set_inheritable(stream.fileno(), True)
            os.execve(command[0], command, where.environment)
    finally:
        os._exit(127)


def _wait_for(guest: int) -> NoReturn:
    """Be init: bury orphans until the guest has ended; then nothing of it is left.

    What still is below us dies with us if we are PID 1, and is killed here if we are not.
    """
    while os.wait()[0] != guest:
        pass
    if os.getpid() != 1:
        tree.kill_descendants()
    os._exit(0)
