# SPDX-License-Identifier: GPL-2.0-or-later
"""What /proc knows of a process, and how a process makes itself known there."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from lab.kernel import syscalls


def rename(argv: list[str]) -> None:
    """Make `ps` show another command line: shorter than the present one, or cut to its length.

    A forked process has no exec that would set it; the kernel reads it from our own memory, where
    /proc/self/stat says (proc(5): arg_start, arg_end).
    """
    syscalls.name_thread(os.fsencode(Path(argv[0]).name))
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if room := end - start:
        line = b"\0".join(os.fsencode(word) for word in argv)[: room - 1]
        ctypes.memmove(start, line.ljust(room, b"\0"), room)


def memory(pid: int) -> int:
    """The proportional set size of a process, octets (proc(5), smaps_rollup).

    0 if it has ended, or is not ours to look at.
    """
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    sizes = (line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))
    return int(next(sizes, 0)) * 1024


def close_all_but(keep: int) -> None:
    """Close every descriptor but standard input, output, errors and this one."""
    for fd in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if fd > 2 and fd != keep:
            try:
                os.close(fd)
            except OSError:  # the listing's own
                continue
