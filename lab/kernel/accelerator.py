# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether KVM really runs a guest here.

There are machines where /dev/kvm can be opened and answers, and a guest hangs in its firmware
(nested virtualisation that does not work). So a kernel is booted without a root file system: it
prints that it panics, and the machine is reset, which ends QEMU. The result is remembered in the
user's cache until the machine changes: its kernel, its processor, or QEMU.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
from pathlib import Path

from lab.kernel import image as images
from lab.kernel.image import Image
from lab.kernel.machine import Machine

KVM, TCG = "kvm", "tcg"
DEVICE = Path("/dev/kvm")
DEADLINE = 10.0
"""Seconds that a kernel may take until it panics; with KVM it takes one."""
_NOTE = "kvm.json"


def choose(qemu: str, machine: Machine, image: Image) -> str:
    """`kvm` if a guest runs with it, else `tcg`: emulation."""
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return TCG
    key = fingerprint(qemu)
    works = remembered(key)
    if works is None:
        works = runs(qemu, machine, image)
        remember(key, works=works)
    return KVM if works else TCG


def runs(qemu: str, machine: Machine, image: Image) -> bool:
    """Boot this kernel with KVM until it panics for want of a root file system."""
    command = [
        *(qemu, "-M", machine.model, "-accel", "kvm", "-cpu", "host", "-m", "512M"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"),
        *("-kernel", image.image, "-append", f"console={machine.console} panic=-1"),
    ]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE, check=False
        )
    except (subprocess.TimeoutExpired, OSError):
        return False
    return b"Kernel panic" in done.stdout


def fingerprint(qemu: str) -> str:
    """Changes with all that decides whether KVM works."""
    program = Path(qemu).stat()
    parts = (*os.uname(), _processor(), qemu, program.st_size, program.st_mtime_ns)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _processor() -> str:
    """The first processor's model and features, without what varies, such as its frequency."""
    with contextlib.suppress(OSError):
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
        return "".join(line for line in first.splitlines() if "MHz" not in line)
    return platform.machine()


def remembered(key: str) -> bool | None:
    """What was found on this machine; None if nothing was, or the note cannot be read."""
    try:
        note = json.loads((images.cache() / _NOTE).read_text())
        return bool(note["works"]) if note["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(key: str, *, works: bool) -> None:
    """Write the note, if there is a cache to write to; it is replaced as a whole."""
    folder = images.cache()
    draft = folder / f".{_NOTE}.{os.getpid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"key": key, "works": works}) + "\n")
        draft.replace(folder / _NOTE)
