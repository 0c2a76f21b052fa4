# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls that Python 3.11 has no functions for.

Every function raises OSError as the `os` module does. See the manual pages in section 2.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_SYS_INIT_MODULE = 105 if os.uname().machine == "aarch64" else 175  # x86_64
_RB_POWER_OFF = 0x4321FEDC


def _check(result: int, about: str = "") -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), about or None)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    _check(_libc.setns(fd, kind), "setns")


def mount(
    source: str | Path, target: str | Path, kind: str, flags: int = 0, options: str = ""
) -> None:
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode(),
        ctypes.c_ulong(flags),
        options.encode(),
    )
    _check(result, str(target))


def sethostname(name: str) -> None:
    octets = name.encode()
    _check(_libc.sethostname(octets, len(octets)))


def die_with_parent(signal_number: int) -> None:
    """Let the kernel send us this signal when our parent dies."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of our descendants whose own parent dies."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def load_module(octets: bytes, name: str) -> None:
    """Load a kernel module; one that is loaded already is fine."""
    with contextlib.suppress(FileExistsError):
        size = ctypes.c_ulong(len(octets))
        _check(_libc.syscall(_SYS_INIT_MODULE, octets, size, b""), name)


def name_thread(name: bytes) -> None:
    """Set the name that the kernel knows a process by: 15 octets at most."""
    _check(_libc.prctl(_PR_SET_NAME, name[:15], 0, 0, 0))


def power_off() -> None:
    _libc.reboot(_RB_POWER_OFF)
