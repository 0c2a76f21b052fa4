#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a hub with many clients takes, until each client was answered through ESP.

    .venv/bin/python bench/star.py [--clients 20] [--kernel auto]

Beside the time on the clock stands the processor time of the lab (of the guest, if it runs in one):
on a machine that does other things it is the better measure. A guest has one processor.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab.build import builder
from lab.cli import show
from lab.cli.layout import Listing
from lab.client.lab import Lab
from lab.topology import load

TARGETS = {"all": "60 s", "memory of a host": "40 MB"}
_TICKS = 100


class Watch:
    """Notes what each step took: seconds on the clock, and of the lab's processors."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float]] = []
        self.guest = 0
        self._began = time.monotonic()
        self._used = 0.0

    def note(self, name: str, seconds: float) -> None:
        """A step has been done."""
        used = processor_time(self.guest) if self.guest else 0.0
        self.rows.append((name, seconds, used - self._used))
        self._used = used

    def time(self, name: str, work: Callable[[], object]) -> None:
        """Do a step."""
        began = time.monotonic()
        work()
        self.note(name, time.monotonic() - began)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure a star.")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--kernel", default="auto")
    parser.add_argument("--name", default="bench-star")
    arguments = parser.parse_args()
    topology = load("star", {"clients": arguments.clients})
    watch = Watch()

    def step(done: builder.Step) -> None:
        watch.guest = watch.guest or Lab(arguments.name).summary().guest
        watch.note(f"  {done.name}", done.seconds)

    with builder.up(topology, arguments.name, arguments.kernel, step) as lab:
        clients = [policy.ends[0].node for policy in topology.policies]
        watch.time("  pings", lambda: list(map(partial(ping, lab), clients)))
        total = watch.seconds
        watch.note("all", total)
        memory = max(memory_of_hosts(lab))
    table = Listing("WHAT", "SECONDS", "PROCESSOR", "TARGET", right=("SECONDS", "PROCESSOR"))
    for name, seconds, used in watch.rows[:-1]:
        table.add_row(name, f"{seconds:.1f}", f"{used:.1f}", "")
    used = sum(used for _, _, used in watch.rows)
    table.add_row("all", f"{total:.1f}", f"{used:.1f}", TARGETS["all"])
    table.add_row("memory of a host", f"{memory / 2**20:.1f} MB", "", TARGETS["memory of a host"])
    show.out.print(table)


def ping(lab: Lab, client: str) -> None:
    """The first packet of a client, until it is answered."""
    command = ["ping", "-n", "-q", "-c", "1", "-i", "0.05", "-w", "10", "192.168.0.1"]
    result = lab.call(client, command)
    if result.code:
        raise SystemExit(f"{client} gets no reply:\n{result.stdout.decode()}")


def memory_of_hosts(lab: Lab) -> list[int]:
    """Proportional set size of each host, octets: its daemons and its init."""
    return [
        node.memory + sum(daemon.memory for daemon in node.daemons) for node in lab.status().nodes
    ]


def processor_time(root: int) -> float:
    """Seconds of processors that a process has used with all below it, those that ended, too."""
    children: dict[int, list[int]] = defaultdict(list)
    used: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:  # it has just ended
            continue
        fields = text.rpartition(")")[2].split()
        children[int(fields[1])].append(int(folder.name))
        used[int(folder.name)] = sum(map(int, fields[11:15])) / _TICKS
    waiting, total = [root], 0.0
    while waiting:
        process = waiting.pop()
        waiting += children[process]
        total += used.get(process, 0.0)
    return total


if __name__ == "__main__":
    main()
