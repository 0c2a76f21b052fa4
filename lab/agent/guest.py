# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent needs of a guest's kernel: its modules, and whether memory has run out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lab.errors import KernelError
from lab.kernel import modules, syscalls
from lab.kernel.plan import more_memory

MODULES = (
    *("veth", "bridge", "sch_netem", "ipv6"),
    *("xfrm_user", "esp4", "esp6", "authenc", "authencesn", "echainiv", "seqiv", "cbc", "hmac"),
    *("sha512_generic", "drbg"),
    *("gcm", "ccm", "ctr", "ghash_generic"),
    *("chacha20poly1305", "chacha_generic", "poly1305_generic"),
)
NAT_MODULES = ("crc32c_generic", "iptable_nat", "xt_MASQUERADE")
"""For labs with NAT. Debian's UML has no NAT for nftables (CONFIG_NFT_NAT). Elsewhere libcrc32c,
which these depend on, does not load before a module that computes its checksum."""


def module_folder(plan: dict[str, Any]) -> Path | None:
    """Where the modules of the guest's kernel are; None if all that it needs is built in."""
    if plan["kernel"] == "uml":
        return Path("/usr/lib/uml/modules", os.uname().release)
    return Path(plan["modules"]) if plan["modules"] else None


def load_modules(wanted: tuple[str, ...], folder: Path | None) -> None:
    """Load modules and those that they depend on.

    Raises:
        KernelError: one does not load.
    """
    if folder is not None:
        for file in modules.files(wanted, (folder / modules.INDEX).read_text()):
            try:
                syscalls.load_module(modules.read(folder / file), file)
            except OSError as trouble:
                raise KernelError(f"cannot load module {file}: {trouble.strerror}") from trouble


def memory_fault(memory: str) -> str:
    """That the guest's memory was too small, if its kernel has killed a process for it.

    Args:
        memory: what the guest was given, such as `1G`.
    """
    counters = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    if not int(counters.get("oom_kill", 0)):
        return ""
    return (
        f"the guest ran out of its {memory} of memory, and its kernel killed a process:"
        f" {more_memory(memory)}"
    )
