#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`kill -9` at random moments of `up`, `run`, `down`: nothing may remain, the next `up` must work.

    .venv/bin/python bench/kill.py [--times 50] [--seed N] [--only NUMBER] [--as root|user|guest]

Killed are the front end, the keeper, the agent or the guest, or any process in it. It plays on a
stage of its own (`tests/e2e/sandbox.py`: PID, mount and network namespaces), where whatever is left
is seen, and nothing of this machine's other labs. `--as user` needs root, to become somebody else;
`--as guest` plays with `--kernel host` inside a guest, whose kernel has ESP, as root and as an
ordinary user in turns. Exit code 0: nothing was left.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.markup import escape

from lab.cli import show
from lab.cli.layout import Listing
from lab.client.lab import Kernel, Lab, Node
from tests.e2e import kill_cases
from tests.e2e.command import COMMAND
from tests.e2e.kill_stage import Result
from tests.e2e.kills import NOBODY, on_stage, results

WHO = {"root": (0,), "user": (NOBODY,), "guest": (0, NOBODY)}
NICE = 10


def main() -> None:
    """Kill, tell, and end with what was found."""
    parser = argparse.ArgumentParser(description="kill -9 at random moments of up, run and down.")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--only", type=int, help="play the case of this number again")
    parser.add_argument("--as", dest="who", choices=WHO, default="root")
    parser.add_argument("--kernel", default="auto", help="not in the guest")
    options = parser.parse_args()
    os.nice(NICE)
    numbers = range(options.times) if options.only is None else [options.only]
    cases = [kill_cases.draw(options.seed, number, WHO[options.who]) for number in numbers]
    show.out.print(f"seed {options.seed}, as {options.who}")
    found = []
    play = in_guest(cases) if options.who == "guest" else results(on_stage(cases, options.kernel))
    for case, result in zip(cases, play, strict=False):
        found.append(result)
        tell(case, result)
    summary(found)
    again = f"--as {options.who} --seed {options.seed} --only"
    for result in found:
        if result.trouble:
            show.out.print(f"[red]again: bench/kill.py {again} {result.number}[/]")
    sys.exit(len(found) < len(cases) or any(result.trouble for result in found))


def in_guest(cases: list[kill_cases.Case]) -> Iterator[Result]:
    """Play in a node of a lab that is nothing but a machine whose kernel has ESP."""
    with Lab.start(f"kill-{os.getpid()}", Kernel.UML, memory="2G") as machine:
        machine.create([Node("inside")])
        inside = [*COMMAND, "exec", "--lab", machine.name, "inside", "--"]
        yield from results([*inside, *on_stage(cases, "host")])


def tell(case: kill_cases.Case, result: Result) -> None:
    """A line for a case."""
    after = "lived, and went" if result.lived else "went"
    words = f"{result.victim:<9} killed at {result.at:5.2f} s, {after} in {result.settled:5.2f} s"
    mark = "[red]✗[/]" if result.trouble else "[green]✓[/]"
    user = "root" if case.uid == 0 else "user"
    show.out.print(f"{mark} {result.number:>3} {user} {result.command:<40} {words}")
    if result.trouble:
        show.out.print(f"    [red]{escape(result.trouble)}[/]")


def summary(found: list[Result]) -> None:
    """A table: how often each was killed in each command, and the slowest end."""
    cells: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in found:
        cells[result.command.split()[0]][result.victim or "nobody"].append(result)
    columns = ("COMMAND", *kill_cases.VICTIMS, "SLOWEST", "LIVED", "TROUBLE")
    table = Listing(*columns, right=columns[1:])
    for command, row in cells.items():
        every = [result for results in row.values() for result in results]
        counts = [str(len(row.get(victim, []))) for victim in kill_cases.VICTIMS]
        slowest = f"{max(result.settled for result in every):.2f} s"
        lived = sum(result.lived for result in every)
        trouble = sum(bool(result.trouble) for result in every)
        table.add_row(command, *counts, slowest, str(lived), str(trouble))
    show.out.print(table)


if __name__ == "__main__":
    main()
