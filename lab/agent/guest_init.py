# SPDX-License-Identifier: GPL-2.0-or-later
"""PID 1 of a guest: turns a read-only view of this host's files into a machine, then is the agent.

`guest.py PLAN …`: the path of the plan. The root of a User-Mode Linux is hostfs, that of a QEMU
machine is 9p. An overlay takes its place, whose upper layer is a tmpfs, so nothing in the guest can
touch this host's files. Kernel modules are loaded from their files, in the order that modules.dep
gives: no depmod, no modprobe, and nothing is left to loading on demand, which does not work inside
a node.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

_OVERLAY = Path("/dev/shm")
_SERIAL_LINE = "/dev/ttyS0"
_PORT_DEADLINE = 5.0


def make_root() -> None:
    """Put the overlay in the place of the root, and the kernel's own file systems into it."""
    from lab.kernel import syscalls

    syscalls.mount("overlay", _OVERLAY, "tmpfs", 0, "mode=755")
    for name in ("upper", "work", "root"):
        (_OVERLAY / name).mkdir()
    layers = f"lowerdir=/,upperdir={_OVERLAY}/upper,workdir={_OVERLAY}/work"
    root = _OVERLAY / "root"
    syscalls.mount("overlay", root, "overlay", 0, layers)
    os.chdir(root)
    syscalls.mount(".", "/", "", syscalls.MS_MOVE)
    os.chroot(".")
    syscalls.mount("proc", "/proc", "proc")
    syscalls.mount("sysfs", "/sys", "sysfs")
    syscalls.mount("devtmpfs", "/dev", "devtmpfs")
    for name in ("pts", "shm"):
        Path("/dev", name).mkdir(exist_ok=True)
    syscalls.mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    syscalls.mount("shm", "/dev/shm", "tmpfs")


def open_line(kernel: str) -> int:
    """The line to the keeper, every octet as it is."""
    if kernel == "qemu":
        return os.open(_find_port(), os.O_RDWR | os.O_CLOEXEC)
    import tty

    line = os.open(_SERIAL_LINE, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    tty.setraw(line)
    return line


def _find_port() -> Path:
    """The virtio-serial port with our name. The kernel adds it while the guest starts."""
    from lab.kernel.plan import PORT

    end = time.monotonic() + _PORT_DEADLINE
    while True:
        for name in Path("/sys/class/virtio-ports").glob("*/name"):
            if name.read_text().strip() == PORT:
                return Path("/dev", name.parent.name)
        if time.monotonic() > end:
            raise OSError(errno.ENODEV, "no virtio-serial port: no CONFIG_VIRTIO_CONSOLE")
        time.sleep(0.01)


def stop_loading_on_demand() -> None:
    """Let the kernel run no modprobe: all that a lab needs is loaded.

    It would run one in vain for each name of an algorithm that it meets for the first time, before
    the first ESP SA: some 0.3 s that the first handshake would have to wait.
    """
    Path("/proc/sys/kernel/modprobe").write_text("\n")


def open_console() -> None:
    """Standard input, output and errors; an ordinary user's init starts without."""
    console = os.open("/dev/console", os.O_RDWR | os.O_NOCTTY)
    for fd in range(3):
        os.dup2(console, fd)
    if console > 2:
        os.close(console)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    sys.path[:0] = [entry for entry in plan["path"] if entry not in sys.path]
    from lab.errors import LabError
    from lab.kernel import syscalls

    try:
        line = make_machine(plan)
    except (OSError, LabError) as trouble:
        sys.stderr.write(f"tkm-lab: the guest cannot start: {trouble}\n")
        syscalls.power_off()
        return
    from lab.agent.agent import serve

    try:
        serve(line, plan)
    finally:
        syscalls.power_off()


def make_machine(plan: dict[str, Any]) -> int:
    """Make all of the machine that the agent needs, and open the line to the keeper."""
    from lab.agent import guest
    from lab.kernel import syscalls

    folder = guest.module_folder(plan)
    guest.load_modules(("overlay",), folder)
    make_root()
    open_console()
    guest.load_modules(guest.MODULES, folder)
    stop_loading_on_demand()
    syscalls.sethostname("lab")
    return open_line(plan["kernel"])


if __name__ == "__main__":
    main()
