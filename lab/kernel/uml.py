# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's User-Mode Linux as the lab kernel: a guest that sees this host's files, read-only.

`linux.uml` is alone in its own PID and mount namespaces, but for a PID 1 that waits for its end: a
kernel that panics aborts, and as PID 1 it could not, since nothing kills a PID 1 from inside. In
its mount namespace a private tmpfs covers /dev/shm: the guest's memory lies there, `uml_dir` too,
and the two files that the guest needs to start. All of it goes with the process.

A guest as Debian configures it takes 1.8 s to its init, most of it for benchmarks of RAID parity,
which the kernel's command line can leave out (0.3 s remain).

On a processor whose register state is too large for `linux.uml`, a corrected copy of it is run from
memory that has no name: see `lab.kernel.registers`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
from pathlib import Path
from typing import NoReturn

from lab.errors import KernelError
from lab.kernel import contain, diagnosis, process, registers, syscalls
from lab.kernel.plan import Plan

MODULES = Path("/usr/lib/uml/modules")
PRIVATE = Path("/dev/shm")
PYTHON = PRIVATE / "python"
PLAN = PRIVATE / "plan.json"
AGENT = PRIVATE / "agent.py"
_NAMESPACES = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC

_SLOW_STARTERS = (
    "raid6_select_algo",
    "calibrate_xor_blocks",
    "init_btrfs_fs",
    "init_zswap",
    "init_jfs_fs",
    "init_xfs_fs",
)


def find() -> str | None:
    """The path of `linux.uml`, if it is installed."""
    return shutil.which("linux.uml", path="/usr/bin:/usr/local/bin:" + os.environ.get("PATH", ""))


def fit(linux: str) -> registers.Fit:
    """Whether this `linux.uml` can run on this host's processor, and what has to be corrected."""
    release = registers.newest_release(MODULES.iterdir())
    return registers.fit(Path(linux).read_bytes(), release, registers.host_size())


def start(plan: Plan, stream: socket.socket, console: int) -> int:
    """Boot a guest whose init is the agent, and return its PID.

    Raises:
        KernelError: there is no `linux.uml`, it cannot run on this processor, or it may not have
            namespaces.
    """
    linux = find()
    if linux is None:
        raise KernelError("no User-Mode Linux here: apt-get install user-mode-linux")
    program = _program(linux)
    _allow_descriptors()

    def run() -> NoReturn:
        furnish(plan)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(console, 1)
        os.dup2(console, 2)
        os.set_inheritable(stream.fileno(), True)
        place = {"TMPDIR": str(PRIVATE), "HOME": str(PRIVATE), "PATH": "/usr/bin:/bin"}
        guest = os.posix_spawn(program, ["linux.uml", *_arguments(plan, stream.fileno())], place)
        process.close_all_but(2)
        process.rename([f"tkm-lab: init of {plan.name}'s kernel"])
        wait_for(guest)

    return contain.start(_NAMESPACES, run)


def _program(linux: str) -> str:
    """The path to run: that of `linux.uml`, or of a copy of it that fits this processor.

    User-Mode Linux starts itself once more, by /proc/self/exe, which leads to the copy, too. The
    descriptor of the copy is inherited; the guest closes it with its own end.

    Raises:
        KernelError: it cannot run on this processor.
    """
    fitting = fit(linux)
    if fitting.problem:
        raise KernelError(fitting.problem)
    if not fitting.needs_copy:
        return linux
    copy = os.memfd_create("linux.uml", 0)
    with open(copy, "wb", closefd=False) as file:
        file.write(registers.widened(Path(linux).read_bytes(), fitting))
    return f"/proc/self/fd/{copy}"


def _allow_descriptors() -> None:
    """Let the guest have as many files open as this user may; it holds one for each it has read.

    Raises:
        KernelError: they are too few.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < diagnosis.DESCRIPTORS:
        raise KernelError(diagnosis.too_few_descriptors(most))


def wait_for(guest: int) -> NoReturn:
    """Be init: bury orphans until the guest has ended. All that is left dies with us."""
    while os.wait()[0] != guest:
        pass
    os._exit(0)


def furnish(plan: Plan) -> None:
    """Make the private tmpfs, and put into it what must have a path without spaces."""
    syscalls.mount(
        "lab", PRIVATE, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=100%"
    )
    with contextlib.suppress(PermissionError):  # in a container with a masked /proc; needed by none
        syscalls.mount("proc", "/proc", "proc")
    PYTHON.symlink_to(Path(plan.python).resolve())
    AGENT.symlink_to(Path(__file__).parents[1] / "agent" / "guest.py")
    PLAN.write_text(plan.to_json())


def _arguments(plan: Plan, stream: int) -> list[str]:
    return [
        f"mem={plan.memory}",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"uml_dir={PRIVATE}/",
        "umid=guest",
        "con=null",
        "con0=null,fd:1",
        "ssl=null",
        f"ssl0=fd:{stream},fd:{stream}",
        "loglevel=4",
        "devtmpfs.mount=0",
        "lpj=20000000",
        "pty.legacy_count=0",
        "initcall_blacklist=" + ",".join(_SLOW_STARTERS),
        f"init={PYTHON}",
        "--",
        "-SEBP",
        str(AGENT),
        str(PLAN),
        "x" * 120,  # room for a longer command line, see process.rename
    ]
