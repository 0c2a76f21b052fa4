# SPDX-License-Identifier: GPL-2.0-or-later
"""How bad a link is: one set of properties for topologies, scenarios and `tkm-lab link`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RATE = re.compile(r"[1-9]\d{0,5}[kmg]bit")


@dataclass(frozen=True, slots=True)
class Impairment:
    """What happens to the frames that a host receives on a link. The default is nothing."""

    loss: float = 0
    """Per cent of frames that are lost."""
    delay: float = 0
    """Milliseconds that each frame takes longer."""
    jitter: float = 0
    """Milliseconds by which the delay varies."""
    reorder: float = 0
    """Per cent that overtake the delayed others."""
    duplicate: float = 0
    """Per cent that arrive twice."""
    rate: str = ""
    """At most so many bits a second, such as `10mbit`; empty: as many as there are."""

    def fault(self) -> str:
        """What is wrong with these values, and what would be right; empty: nothing."""
        for name in ("loss", "reorder", "duplicate"):
            if not 0 <= getattr(self, name) <= 100:
                return f"{name} is not a percentage from 0 to 100"
        for name in ("delay", "jitter"):
            if not 0 <= getattr(self, name) <= 60_000:
                return f"{name} is not a number of milliseconds from 0 to 60000"
        if (self.reorder or self.jitter) and not self.delay:
            return "reorder and jitter need a delay: write delay = 50, milliseconds"
        if self.rate and not _RATE.fullmatch(self.rate):
            return f"'{self.rate}' is not a rate; write one such as 10mbit"
        return ""

    @property
    def netem(self) -> list[str]:
        """The words of tc-netem(8); none: the link is whole."""
        words = []
        if self.delay:
            words += ["delay", f"{self.delay:g}ms"] + [f"{self.jitter:g}ms"] * bool(self.jitter)
        for name in ("loss", "reorder", "duplicate"):
            if share := getattr(self, name):
                words += [name, f"{share:g}%"]
        return words + (["rate", self.rate] if self.rate else [])
