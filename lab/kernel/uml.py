# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's User-Mode Linux as the lab kernel: a guest that sees this host's files, read-only.

In namespaces, `linux.uml` is alone with a PID 1 that waits for its end: a kernel that panics
aborts, and as PID 1 it could not, since nothing kills a PID 1 from inside. Its memory, its
`uml_dir` and the files that it needs to start lie in `lab.kernel.place`.

A guest as Debian configures it takes 1.8 s to its init, most of it for benchmarks of RAID parity,
which the kernel's command line can leave out (0.3 s remain).

On a processor whose register state is too large for `linux.uml`, and where there are no
namespaces, a corrected copy of it is run from memory that has no name: see `lab.kernel.registers`
and `lab.kernel.tracees`.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
from pathlib import Path

from lab.errors import KernelError
from lab.kernel import boot, diagnosis, registers, tracees
from lab.kernel.boot import Started
from lab.kernel.place import Place
from lab.kernel.plan import Plan

MODULES = Path("/usr/lib/uml/modules")
UNCONTAINED = "this linux.uml needs namespaces, or its processes could outlive it"

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


def start(plan: Plan, stream: socket.socket, console: int) -> Started:
    """Boot a guest whose init is the agent.

    Raises:
        KernelError: there is no `linux.uml`, it cannot run on this processor, or it cannot be
            contained.
    """
    linux = find()
    if linux is None:
        raise KernelError("no User-Mode Linux here: apt-get install user-mode-linux")
    program = _program(linux, namespaces=plan.namespaces)
    _allow_descriptors()
    return boot.start(
        plan, stream, console, lambda place: [program, *_arguments(plan, place, stream.fileno())]
    )


def _program(linux: str, *, namespaces: bool) -> str:
    """The path to run: that of `linux.uml`, or of a corrected copy of it.

    User-Mode Linux starts itself once more, by /proc/self/exe, which leads to the copy, too. The
    descriptor of the copy is inherited; the guest closes it with its own end.

    Raises:
        KernelError: it cannot run on this processor, or its processes would outlive it.
    """
    fitting = fit(linux)
    if fitting.problem:
        raise KernelError(fitting.problem)
    if namespaces and not fitting.needs_copy:
        return linux
    image = Path(linux).read_bytes()
    if fitting.needs_copy:
        image = registers.widened(image, fitting)
    if not namespaces:
        contained = tracees.dying_with_tracer(image)
        if contained is None:
            raise KernelError(UNCONTAINED)
        image = contained
    copy = os.memfd_create("linux.uml", 0)
    with open(copy, "wb", closefd=False) as file:
        file.write(image)
    return f"/proc/self/fd/{copy}"


def can_do_without_namespaces(linux: str) -> bool:
    """Whether its processes can be made to die with it, see `lab.kernel.tracees`."""
    return tracees.dying_with_tracer(Path(linux).read_bytes()) is not None


def _allow_descriptors() -> None:
    """Let the guest have as many files open as this user may; it holds one for each it has read.

    Raises:
        KernelError: they are too few.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < diagnosis.DESCRIPTORS:
        raise KernelError(diagnosis.too_few_descriptors(most))


def _arguments(plan: Plan, place: Place, stream: int) -> list[str]:
    return [
        f"mem={plan.memory}",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"uml_dir={place.folder}/",
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
        f"init={place.python}",
        "--",
        "-SEBP",
        str(place.agent),
        str(place.plan),
        "x" * 120,  # room for a longer command line, see process.rename
    ]
