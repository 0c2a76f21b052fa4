#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long strongSwan's eleven TKM scenarios take, one after the other.

    .venv/bin/python bench/scenarios.py [--far builtin] [--kernel auto] [-j 1]

The goal is 150 s on two processors with `builtin` on both sides.
"""

from __future__ import annotations

import argparse
import time

from lab.cli import show
from lab.cli.layout import Listing
from lab.kernel.platform import Platform
from lab.scenario.model import load
from lab.scenario.runner import Options, run_all

GOAL = 150
ELEVEN = (
    "host2host-initiator",
    "host2host-responder",
    "host2host-xfrmproxy",
    "net2net-initiator",
    "net2net-xfrmproxy",
    "multiple-clients",
    "multi-level-ca",
    "xfrmproxy-expire",
    "xfrmproxy-rekey",
    "host2host-initiator-multi-ke",
    "host2host-responder-multi-ke",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure strongSwan's TKM scenarios.")
    parser.add_argument("--far", default="builtin")
    parser.add_argument("--kernel", default="auto")
    parser.add_argument("-j", dest="jobs", type=int, default=1)
    arguments = parser.parse_args()
    chosen = [load(name).with_far(arguments.far) for name in ELEVEN]
    began = time.monotonic()
    table = Listing("SCENARIO", "OUTCOME", "SECONDS", "UP", right=("SECONDS", "UP"))
    for result in run_all(
        chosen, Options(platform=Platform(kernel=arguments.kernel)), arguments.jobs
    ):
        up = f"{result.steps[0].seconds:.1f}" if result.steps else ""
        table.add_row(result.name, str(result.outcome), f"{result.seconds:.1f}", up)
    seconds = time.monotonic() - began
    table.add_row("all eleven", f"goal {GOAL} s", f"{seconds:.1f}", "")
    show.out.print(table)


if __name__ == "__main__":
    main()
