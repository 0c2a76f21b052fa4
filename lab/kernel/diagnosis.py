# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a guest died, for a person: what its kernel printed, what this host is, and what to do."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import NamedTuple

from lab.kernel import registers
from lab.kernel.plan import mebibytes, more_memory

DESCRIPTORS = 640
"""Open files that User-Mode Linux needs: 457 were counted with two hosts and with twenty."""
_OUT_OF_MEMORY = ("Out of memory", "out of memory", "oom-kill")
_OUT_OF_FILES = ("Too many open files", "err = -24")
_SIGSEGV = "exitcode=0x0000000b"
"""Init died of SIGSEGV: its registers were lost, see `lab.kernel.registers`."""


class Host(NamedTuple):
    """What of this host decides whether a guest can live."""

    processor: str
    registers: int | None
    """Octets of the extended register set."""
    descriptors: int
    """Open files that this process may have."""
    memory: int
    """MiB that are free."""

    def describe(self) -> str:
        size = f"{self.registers:,} octets of registers" if self.registers else "registers unknown"
        return (
            f"{self.processor}, {size}, {self.descriptors} open files allowed,"
            f" {self.memory} MiB of memory free"
        )


def look() -> Host:
    """This host, as it is now."""
    return Host(
        processor=_field("/proc/cpuinfo", "model name") or os.uname().machine,
        registers=registers.host_size(),
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        memory=int((_field("/proc/meminfo", "MemAvailable") or "0").split()[0]) >> 10,
    )


def _field(path: str, name: str) -> str:
    """The first value of that name in a file of `name: value` lines; empty if there is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def explain(printed: str, memory: str, host: Host) -> str:
    """What to know of a guest's death.

    Args:
        printed: the last of what its kernel printed.
        memory: what the guest was given, such as `1G`.
        host: where it ran.
    """
    return "; ".join(
        filter(None, [printed, _cause(printed, memory, host), f"on {host.describe()}"])
    )


def _cause(printed: str, memory: str, host: Host) -> str:
    """The likeliest cause and its remedy; empty if nothing points to one."""
    if any(words in printed for words in _OUT_OF_MEMORY):
        return f"the guest ran out of its {memory} of memory: {more_memory(memory)}"
    if any(words in printed for words in _OUT_OF_FILES) or host.descriptors < DESCRIPTORS:
        return too_few_descriptors(host.descriptors)
    if host.memory < mebibytes(memory):
        return (
            f"this host has less memory free than the {memory} of the guest: end other labs"
            " (tkm-lab down --all), or build the lab with less --memory"
        )
    if _SIGSEGV in printed:
        return (
            "a guest's processes die like this if this processor's registers are not restored:"
            " run tkm-lab doctor, or build the lab with --kernel qemu"
        )
    return ""


def too_few_descriptors(allowed: int) -> str:
    """The complaint about a limit on open files."""
    return (
        f"this process may have {allowed} files open, and a guest needs {DESCRIPTORS}:"
        f" ulimit -n {DESCRIPTORS} (ulimit -Hn shows how many this user may have)"
    )
