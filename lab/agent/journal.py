# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemons of all nodes print, in one order: that in which the agent read it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from lab.agent.condition import Condition


class Line(NamedTuple):
    number: int
    """Among all lines of the lab."""
    time: float
    text: str


class Journal:
    """Gives lines their numbers. `more` is notified of each; `next` is the number of the next."""

    def __init__(self) -> None:
        self.next = 0
        self.more = Condition()

    def enter(self, lines: Iterable[bytes]) -> list[Line]:
        """Number lines that were printed just now."""
        now = time.time()
        found = [
            Line(number, now, line.decode(errors="replace"))
            for number, line in enumerate(lines, self.next)
        ]
        self.next += len(found)
        if found:
            self.more.notify()
        return found
