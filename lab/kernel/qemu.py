# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU virtual machine as the lab kernel: any kernel, and a root of this host's files.

Its root is this host's file system, read-only, by 9p; the agent puts the same overlay over it as in
User-Mode Linux (`lab.agent.guest`), and QEMU is held by the same PID 1 in the same namespaces
(`lab.kernel.uml`). The machine has no network device. It has two lines to this host: a serial one,
for what the kernel prints, and a virtio-serial port, which has flow control, for the agent.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
from pathlib import Path
from typing import NoReturn

from lab.errors import KernelError
from lab.kernel import contain, initramfs, process, syscalls, uml
from lab.kernel.accelerator import KVM
from lab.kernel.machine import MACHINES, Machine, here
from lab.kernel.plan import PORT, Plan

_INITRAMFS = uml.PRIVATE / "initramfs"
_NAMESPACES = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC


def find() -> str | None:
    """The path of QEMU for this host's kind of processor, if it is installed."""
    machine = here()
    return shutil.which(machine.program) if machine else None


def start(plan: Plan, stream: socket.socket, console: int) -> int:
    """Boot a guest whose init becomes the agent, and return its PID.

    Raises:
        KernelError: there is no QEMU or no busybox, or it may not have namespaces.
    """
    qemu, machine = find(), here()
    if qemu is None or machine is None:
        known = ", ".join(MACHINES)
        raise KernelError(f"no QEMU here for {platform.machine()} (the lab knows {known})")
    first = initramfs.make(
        Path(plan.modules) if plan.modules else None,
        [str(uml.PYTHON), "-SEBP", str(uml.AGENT), str(uml.PLAN), "x" * 120],
    )

    def run() -> NoReturn:
        uml.furnish(plan)
        _INITRAMFS.write_bytes(first)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(console, 1)
        os.dup2(console, 2)
        os.set_inheritable(stream.fileno(), True)
        command = [qemu, *arguments(plan, machine, stream.fileno())]
        place = {"TMPDIR": str(uml.PRIVATE), "HOME": str(uml.PRIVATE), "PATH": "/usr/bin:/bin"}
        guest = os.posix_spawn(qemu, command, place)
        process.close_all_but(2)
        process.rename([f"tkm-lab: init of {plan.name}'s kernel"])
        uml.wait_for(guest)

    return contain.start(_NAMESPACES, run)


def arguments(plan: Plan, machine: Machine, stream: int) -> list[str]:
    """The machine, as QEMU's command line; `stream` is the descriptor of the agent's line."""
    processor = "host" if plan.accelerator == KVM else "max"
    kernel = f"console={machine.console} loglevel=4 panic=-1 random.trust_cpu=on"
    return [
        *("-M", machine.model, "-accel", plan.accelerator, "-cpu", processor, "-m", plan.memory),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-serial", "stdio"),
        *("-kernel", plan.image, "-initrd", str(_INITRAMFS), "-append", kernel),
        *("-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", f"virtio-9p-pci,fsdev=root,mount_tag={initramfs.TAG}"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=line,fd={stream}"),
        *("-device", f"virtserialport,chardev=line,name={PORT}"),
    ]
