# SPDX-License-Identifier: GPL-2.0-or-later
"""User-Mode Linux on processors whose register state is larger than it expects.

User-Mode Linux before 6.13 restores a process's extended registers with `ptrace(PTRACE_SETREGSET,
NT_X86_XSTATE)` and a length that was fixed when it was built: 2,696 octets. Linux accepts only the
whole set, cut to the length of its own: a longer buffer is as good as an exact one, a shorter one
is refused. With AMX the set has 11,008 octets, so every process of the guest dies at its first
signal, init first.

The cure is a private copy of the program in which that one length is this host's. Why this is
sound stands in docs/lab.md, "Processors with a large register state".
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

_PTRACE_TRACEME = 0
_PTRACE_GETREGSET = 0x4204
_NT_X86_XSTATE = 0x202
_LARGEST = 1 << 20
"""Octets of the buffer for this host's set: far more than any processor has."""
_FIXED_SINCE = (6, 13)
"""The first release of Linux whose User-Mode Linux asks the host for the size."""
_PLACE = re.compile(rb"\x48\xc7\x45\xf8(?P<length>.{4})\xbf\x05\x42\x00\x00", re.DOTALL)
"""In Debian's build: `movq $length, iovec.iov_len`, then `mov $PTRACE_SETREGSET, %edi`."""


class Fit(NamedTuple):
    """Whether a `linux.uml` can run on this host's processor."""

    host: int | None
    """Octets of this host's extended register set; None: it has none, or does not report it."""
    restored: int | None = None
    """Octets that the program restores; None: as many as the host has, it asks."""
    place: int | None = None
    """Where in the file that length stands: four octets, least significant first."""
    problem: str = ""
    """Why the program cannot run here; empty if it can."""

    @property
    def needs_copy(self) -> bool:
        """Whether a copy with another length has to be run in its place."""
        return self.place is not None and not self.problem

    def describe(self) -> str:
        """What a person should know about it, in a few words; empty if there is nothing."""
        if self.problem or not self.needs_copy:
            return self.problem
        return (
            f"this processor has {self.host:,} octets of registers, linux.uml restores"
            f" {self.restored:,}: a private copy that restores them all is run"
        )


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def fit(image: bytes, release: str, host: int | None) -> Fit:
    """Compare what a `linux.uml` restores with what this host has.

    Args:
        image: the program's octets.
        release: its kernel's release, such as `6.1.176`.
        host: octets of this host's set, see `host_size`.
    """
    if host is None or _version(release) >= _FIXED_SINCE:
        return Fit(host)
    places = list(_PLACE.finditer(image))
    lengths = [int.from_bytes(place["length"], "little") for place in places]
    if lengths and min(lengths) >= host:
        return Fit(host, lengths[0])
    if len(places) == 1:
        return Fit(host, lengths[0], places[0].start("length"))
    if not places and host <= _DEBIANS:
        return Fit(host)
    found = "more than once" if places else "nowhere"
    return Fit(
        host,
        problem=f"linux.uml {release} cannot restore the {host:,} octets of registers that this"
        f" processor has, and the place to correct is found {found} in it",
    )


_DEBIANS = 2696
"""Octets that every User-Mode Linux before 6.13 restores (AVX-512 and protection keys)."""


def widened(image: bytes, fit: Fit) -> bytes:
    """The program with this host's length in the place of its own.

    Raises:
        ValueError: the program does not need it, or has no such place.
    """
    if fit.place is None or fit.host is None or fit.problem:
        raise ValueError("this program has no length to correct")
    length = fit.host.to_bytes(4, "little")
    return image[: fit.place] + length + image[fit.place + 4 :]


@functools.cache
def host_size() -> int | None:
    """Octets of this host's extended register set, as the kernel reports it of a stopped child."""
    if os.uname().machine != "x86_64" or sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_LARGEST)
    vector = _IoVec(ctypes.addressof(buffer), _LARGEST)
    child = os.fork()
    if child == 0:
        _stop_traced(libc)
    try:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return None  # we may not trace: a seccomp filter, or a debugger in our place
        request = (ctypes.c_long(_PTRACE_GETREGSET), child, ctypes.c_long(_NT_X86_XSTATE))
        failed = libc.ptrace(*request, ctypes.byref(vector))
        return None if failed else int(vector.length)
    finally:
        _end(child)


def _stop_traced(libc: ctypes.CDLL) -> NoReturn:
    if libc.ptrace(ctypes.c_long(_PTRACE_TRACEME), 0, None, None) == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(1)


def _end(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def _version(release: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return tuple(map(int, found.groups())) if found else (0,)


def newest_release(modules: Iterable[Path]) -> str:
    """The release that a folder of modules is named after; empty if there is none."""
    return max((folder.name for folder in modules), key=_version, default="")
