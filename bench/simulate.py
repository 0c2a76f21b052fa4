#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Storms, many of them: two engines and two TKMs under random schedules on a terrible network.

    .venv/bin/python bench/simulate.py --schedules 100000 [--from 0] [--jobs 2]
    .venv/bin/python bench/simulate.py --seed 4711

What a schedule is, and what has to be in order after it, says `tests/unit/ike/storm.py`. A seed
that fails is printed at once; with `--seed` it is replayed exactly, and both daemons' logs shown.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import multiprocessing
import os
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lab.cli import show
from tests.unit.ike.storm import storm, trace, trouble
from tests.unit.trusted import pki


def judge(seed: int) -> tuple[int, list[str], int]:
    """A seed, what is wrong with it, how many datagrams it took."""
    try:
        network = storm(seed)
        return seed, trouble(network), len(network.sent)
    except Exception as error:  # whatever it is, the seed has to be known
        return seed, traceback.format_exception_only(error), 0


def quietly() -> None:
    """A process that judges keeps its logs to itself, and its niceness."""
    logging.disable(logging.CRITICAL)


def simulate(seeds: range, jobs: int) -> int:
    """Judge them all, and tell; the exit code."""
    began, failed, datagrams = time.monotonic(), 0, 0
    pki()  # once, for all that are forked from here
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    pool = multiprocessing.get_context("fork").Pool(jobs, quietly)
    with pool, Progress(*columns, TimeRemainingColumn(), console=show.err) as progress:
        task = progress.add_task("schedules", total=len(seeds))
        for seed, found, sent in pool.imap_unordered(judge, seeds, chunksize=10):
            progress.advance(task)
            datagrams += sent
            failed += bool(found)
            for line in found:
                show.out.print(f"[bold red]seed {seed}[/]: {escape(line.strip())}")
    seconds = time.monotonic() - began
    verdict = f"[bold red]{failed} failed[/]" if failed else "[bold green]all good[/]"
    show.out.print(
        f"{verdict}: seeds {seeds.start} to {seeds.stop - 1}, {datagrams:,} datagrams, "
        f"{seconds:.0f} s, {len(seeds) / seconds:.1f} schedules a second"
    )
    return 1 if failed else 0


def replay(seed: int) -> int:
    """One seed again, with all that both daemons say; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stdout)
    logging.getLogger("tkm").setLevel(logging.WARNING)
    network = storm(seed)
    sent = trace(network)
    found = trouble(network)
    digest = hashlib.sha256(repr(sent).encode()).hexdigest()[:16]
    show.out.print(f"seed {seed}: {len(sent)} datagrams, trace {digest}")
    for line in found or ["all is in order"]:
        show.out.print(escape(line))
    return 1 if found else 0


def main() -> int:
    """Simulate, or replay."""
    parser = argparse.ArgumentParser(description="Two engines under random schedules.")
    parser.add_argument("--schedules", type=int, default=100_000, help="how many (%(default)s)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--seed", type=int, help="replay this one, and show the logs")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return replay(arguments.seed)
    return simulate(range(arguments.first, arguments.first + arguments.schedules), arguments.jobs)


if __name__ == "__main__":
    sys.exit(main())
