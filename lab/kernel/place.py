# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder with what a guest needs to start, and where its memory lies.

In a mount namespace of its own it is a tmpfs that covers /dev/shm and goes with the lab. Without
one it is a folder of this host, which the keeper removes when the guest has started; one that is
left by a keeper that was killed meanwhile is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lab.errors import KernelError
from lab.kernel import syscalls
from lab.kernel.plan import Plan, mebibytes

_PREFIX = f"tkm-lab-{os.getuid()}-"


class Place:
    """A folder for one guest."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.python: Final = folder / "python"
        self.agent: Final = folder / "agent.py"
        self.plan: Final = folder / "plan.json"
        self.initramfs: Final = folder / "initramfs"

    def mount(self) -> None:
        """Put a private tmpfs there, and a /proc of this PID namespace beside it."""
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("lab", self.folder, "tmpfs", flags, "mode=755,size=100%")
        with contextlib.suppress(PermissionError):  # in a container with a masked /proc
            syscalls.mount("proc", "/proc", "proc")

    def furnish(self, plan: Plan) -> None:
        """Put into it what must have a path without spaces."""
        self.python.symlink_to(Path(plan.python).resolve())
        self.agent.symlink_to(Path(__file__).parents[1] / "agent" / "guest_init.py")
        self.plan.write_text(plan.to_json())

    def remove(self) -> None:
        """Remove the folder with all that is in it; one that is gone already is fine."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """Of the program that is the guest."""
        folder = str(self.folder)
        return {"TMPDIR": folder, "HOME": folder, "PATH": "/usr/bin:/bin"}


PRIVATE: Final = Place(Path("/dev/shm"))
"""The place in a mount namespace of the lab's own."""


def temporary(memory: str) -> Place:
    """A fresh folder of this host that can hold a guest's memory, and from which code can run.

    The descriptor of its lock is inherited by the guest and ends with it.

    Raises:
        KernelError: there is no such folder.
    """
    needed = mebibytes(memory) << 20
    for parent in _parents():
        _sweep(parent)
        if _holds(parent, needed):
            place = Place(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)))
            os.set_inheritable(_lock(place.folder), True)
            return place
    raise KernelError(
        f"no folder for the {memory} of a guest's memory: set TMPDIR to one with room that is not"
        " mounted noexec, or build the lab with less --memory"
    )


def _parents() -> Iterator[Path]:
    named = os.environ.get("TMPDIR")
    for path in filter(None, ("/dev/shm", named, "/tmp", "/var/tmp")):
        if Path(path).is_dir() and os.access(path, os.W_OK) and " " not in path:
            yield Path(path)


def _holds(folder: Path, octets: int) -> bool:
    state = os.statvfs(folder)
    return not state.f_flag & os.ST_NOEXEC and state.f_bavail * state.f_frsize >= octets


def _lock(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _sweep(parent: Path) -> None:
    """Remove folders of this user that no process holds any more."""
    for folder in parent.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):
            descriptor = _lock(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
