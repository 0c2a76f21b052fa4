# SPDX-License-Identifier: GPL-2.0-or-later
"""PID 1 of a User-Mode Linux guest: turns a read-only hostfs into a machine, then is the agent.

`guest.py PLAN …`: the path of the plan. The root becomes an overlay over hostfs whose upper layer
is a tmpfs, so nothing in the guest can touch this host's files. Kernel modules are loaded from
their files, in the order that Debian's modules.dep gives: no depmod, no modprobe, and nothing is
left to loading on demand, which does not work inside a node.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

MODULES = (
    *("veth", "bridge", "sch_netem", "ipv6"),
    *("xfrm_user", "esp4", "esp6", "authenc", "authencesn", "echainiv", "seqiv", "cbc", "hmac"),
    *("sha512_generic", "drbg"),
)
NAT_MODULES = ("iptable_nat", "xt_MASQUERADE")
"""For labs with NAT. Debian's guest kernel has no NAT for nftables (CONFIG_NFT_NAT)."""
_OVERLAY = Path("/dev/shm")
_SERIAL_LINE = "/dev/ttyS0"


def module_files(wanted: tuple[str, ...], dependencies: str) -> list[str]:
    """The files to load, dependencies first, out of the text of a modules.dep."""
    needs: dict[str, list[str]] = {}
    files: dict[str, str] = {}
    for line in dependencies.splitlines():
        file, _, others = line.partition(":")
        needs[file] = others.split()
        files[file.rpartition("/")[2].partition(".")[0]] = file
    order: list[str] = []
    for name in wanted:
        if file := files.get(name, ""):  # else it is built in
            order += [*reversed(needs[file]), file]
    return list(dict.fromkeys(order))


def load_modules(wanted: tuple[str, ...]) -> None:
    from lab.kernel import syscalls

    folder = Path("/usr/lib/uml/modules", os.uname().release)
    for file in module_files(wanted, (folder / "modules.dep").read_text()):
        syscalls.load_module(folder / file)


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


def open_line() -> int:
    """The serial line to the keeper, every octet as it is."""
    import tty

    line = os.open(_SERIAL_LINE, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    tty.setraw(line)
    return line


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
    load_modules(("overlay",))
    make_root()
    open_console()
    load_modules(MODULES)
    from lab.agent.main import serve
    from lab.kernel import syscalls

    syscalls.sethostname("lab")
    try:
        serve(open_line(), plan)
    finally:
        syscalls.power_off()


if __name__ == "__main__":
    main()
