# SPDX-License-Identifier: GPL-2.0-or-later
"""All kinds of steps. Each module enters its own into the table, `STEPS`."""

from lab.scenario.step import STEPS
from lab.scenario.steps import hosts, ike, links, seen, traffic

__all__ = ["STEPS", "hosts", "ike", "links", "seen", "traffic"]
