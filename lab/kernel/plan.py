# SPDX-License-Identifier: GPL-2.0-or-later
"""What a front end hands to the keeper, and the keeper to the agent: plain data, as JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

CAPTURE = 64 << 20
"""Octets of memory that captured frames take at most, if nothing else is asked for."""
LEASH = 3
"""The keeper's descriptor of the leash, see `lab.kernel.keeper`."""
PORT = "tkm-lab"
"""The name of the virtio-serial port that leads from a QEMU machine to the keeper."""


class Plan(NamedTuple):
    """All that is needed to start a lab."""

    name: str
    kernel: str
    """`host`, `uml` or `qemu`."""
    python: str
    """The interpreter that runs the agent."""
    path: list[str]
    """The module search path."""
    bin: str
    """The folder of our commands, first in the nodes' PATH."""
    needs: list[str]
    """Folders that must be seen in nodes even if they lie below /tmp or /run."""
    programs: dict[str, str]
    """Name of each warm program -> `module:function`."""
    memory: str = "1G"
    """Of a guest."""
    capture: int = CAPTURE
    """Octets of memory that captured frames take at most."""
    image: str = ""
    """The path of the kernel that QEMU boots."""
    modules: str = ""
    """The folder of its modules, see `lab.kernel.image`."""
    accelerator: str = ""
    """QEMU's: `kvm` or `tcg`."""
    namespaces: bool = True
    """Whether namespaces contain the lab; else its process tree does, see `lab.kernel.tree`."""

    def to_json(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> Plan:
        fields: dict[str, Any] = json.loads(text)
        return cls(**fields)


def socket_name(uid: int, lab: str) -> str:
    """The abstract Unix socket that a lab's keeper listens on."""
    return f"\0tkm-lab/{uid}/{lab}"


def mebibytes(size: str) -> int:
    """The number of MiB in a size such as `1G` or `768M`.

    Raises:
        ValueError: it is not such a size.
    """
    number, unit = size[:-1], size[-1:]
    if not (number.isascii() and number.isdecimal() and unit in {"G", "M"}):
        raise ValueError(f"'{size}' is not a size such as 1G or 768M")
    return int(number) << (10 if unit == "G" else 0)


def more_memory(memory: str) -> str:
    """What to do when a guest ran out of its memory, a size such as `1G`."""
    return f"build the lab with more, such as --memory {2 * mebibytes(memory)}M"


def guest_memory(hosts: int, capture: int = CAPTURE) -> str:
    """What a guest of that many hosts is given; the host lends it only when it is touched.

    A host takes 25 to 40 MB, the agent, the captured frames and the kernel some 300. A capture
    larger than the usual is added twice: what is fetched is copied on its way out.
    """
    more = max(0, capture - CAPTURE) >> 20
    return f"{max(1024, 640 + 48 * hosts) + 2 * more}M"
