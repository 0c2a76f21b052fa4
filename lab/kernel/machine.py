# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between the processors that a virtual machine can have."""

from __future__ import annotations

import platform
from typing import NamedTuple


class Machine(NamedTuple):
    """A kind of machine, as QEMU and Debian name it."""

    program: str
    model: str
    """QEMU's `-M`. Both kinds have PCI; a "microvm" boots no faster (measured), and takes ACPI."""
    console: str
    """The first serial line."""
    qemu: str
    """Debian's package of the program."""
    image: str
    """Debian's package that depends on the newest kernel with 9p."""


MACHINES = {
    "x86_64": Machine("qemu-system-x86_64", "pc", "ttyS0", "qemu-system-x86", "linux-image-amd64"),
    "aarch64": Machine(
        "qemu-system-aarch64", "virt", "ttyAMA0", "qemu-system-arm", "linux-image-arm64"
    ),
}


def here() -> Machine | None:
    """The one for this host's processor; None if the lab knows none."""
    return MACHINES.get(platform.machine())
