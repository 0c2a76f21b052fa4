# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU virtual machine as the lab kernel: any kernel, and a root of this host's files.

Its root is this host's file system, read-only, by 9p; the agent puts the same overlay over it as in
User-Mode Linux (`lab.agent.guest_init`), and QEMU is held by the same PID 1 in the same namespaces
(`lab.kernel.boot`). The machine has no network device. It has two lines to this host: a serial one,
for what the kernel prints, and a virtio-serial port, which has flow control, for the agent.
"""

from __future__ import annotations

import platform
import shutil
import socket
from pathlib import Path

from lab.errors import KernelError
from lab.kernel import boot, initramfs
from lab.kernel.accelerator import KVM
from lab.kernel.boot import Started
from lab.kernel.machine import MACHINES, Machine, here
from lab.kernel.place import Place
from lab.kernel.plan import PORT, Plan


def find() -> str | None:
    """The path of QEMU for this host's kind of processor, if it is installed."""
    machine = here()
    return shutil.which(machine.program) if machine else None


def start(plan: Plan, stream: socket.socket, console: int) -> Started:
    """Boot a guest whose init becomes the agent.

    Raises:
        KernelError: there is no QEMU or no busybox, or it cannot be contained.
    """
    qemu, machine = find(), here()
    if qemu is None or machine is None:
        known = ", ".join(MACHINES)
        raise KernelError(f"no QEMU here for {platform.machine()} (the lab knows {known})")

    def command(place: Place) -> list[str]:
        init = [str(place.python), "-SEBP", str(place.agent), str(place.plan), "x" * 120]
        modules = Path(plan.modules) if plan.modules else None
        place.initramfs.write_bytes(initramfs.make(modules, init))
        return [qemu, *arguments(plan, machine, place, stream.fileno())]

    return boot.start(plan, stream, console, command)


def arguments(plan: Plan, machine: Machine, place: Place, stream: int) -> list[str]:
    """The machine, as QEMU's command line; `stream` is the descriptor of the agent's line."""
    processor = "host" if plan.accelerator == KVM else "max"
    kernel = f"console={machine.console} loglevel=4 panic=-1 random.trust_cpu=on"
    return [
        *("-M", machine.model, "-accel", plan.accelerator, "-cpu", processor, "-m", plan.memory),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-serial", "stdio"),
        *("-kernel", plan.image, "-initrd", str(place.initramfs), "-append", kernel),
        *("-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", f"virtio-9p-pci,fsdev=root,mount_tag={initramfs.TAG}"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=line,fd={stream}"),
        *("-device", f"virtserialport,chardev=line,name={PORT}"),
    ]
