#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast two hosts come up, how soon the first packet is answered, how much memory they take.

    .venv/bin/python bench/two_hosts.py [--rounds 5] [--kernel auto]

Each round is a fresh lab. The table has medians, with the fastest and the slowest round.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections import defaultdict

from lab import build
from lab.cli import show
from lab.client import Lab
from lab.topology import load

TARGETS = {"up": "10 s", "first reply": "0.5 s", "memory of a host": "40 MB"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure two hosts, end to end.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kernel", default="auto")
    arguments = parser.parse_args()
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(arguments.rounds):
        for name, value in one_round(f"bench-{number}", arguments.kernel).items():
            found[name].append(value)
    table = show.table("WHAT", "MEDIAN", "FROM", "TO", "TARGET", right=("MEDIAN", "FROM", "TO"))
    for name, values in found.items():
        unit = "MB" if name.startswith("memory") else "s"
        shown = (statistics.median(values), min(values), max(values))
        table.add_row(name, *(f"{v:.2f} {unit}" for v in shown), TARGETS.get(name, ""))
    show.out.print(table)


def one_round(name: str, kernel: str) -> dict[str, float]:
    """Build, ping, look, end."""
    steps: list[build.Step] = []
    began = time.monotonic()
    lab = build.up(load("two-hosts"), name, kernel, steps.append)
    found = {"up": time.monotonic() - began}
    found |= {f"  {step.name}": step.seconds for step in steps}
    found["first reply"] = first_reply(lab)
    found |= {
        f"memory of a host{node.name:>8}": sum(daemon.memory for daemon in node.daemons) / 2**20
        for node in lab.status().nodes
    }
    began = time.monotonic()
    lab.down()
    found["down"] = time.monotonic() - began
    return found


def first_reply(lab: Lab) -> float:
    """Seconds from the first request, which raises the acquire, to the first reply."""
    command = ["ping", "-n", "-q", "-c", "1", "-i", "0.01", "-w", "10", "192.168.0.2"]
    text = lab.call("alice", command).stdout.decode()
    found = re.search(r"1 received.* time (\d+)ms", text)
    if not found:
        raise SystemExit(f"no reply:\n{text}")
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()
