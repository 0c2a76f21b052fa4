#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Forged packets at IKE engines, for long: no crash, no SA lost, every reason logged, no growth.

    .venv/bin/python bench/fuzz_ike.py --packets 1000000 [--seed 0]

What is thrown, at which stages, and what must not come of it says `tests/unit/ike/forging.py`:
nearly all of it are outsiders' packets. Every tenth seed is a peer that says nonsense under its own
keys, another tenth a client of the control interface (`nonsense.py`). A seed that fails is printed;
begin with it (`--seed N`) to see it again.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lab.cli import show
from lab.cli.layout import Listing
from tests.unit.ike import forging, nonsense

AT_ONCE = 40
"""Forgeries before one real datagram, at most."""
CLIENT = "control interface"
CLIENTS = 200
"""Packets of one client."""
GROWTH = 8.0
"""MB that the end may hold more than the tenth part of the way."""


def outsider(seed: int) -> tuple[Counter[str], list[str]]:
    """Forged datagrams."""
    attacker = forging.live(seed, AT_ONCE)
    return attacker.thrown, attacker.faults


def client(seed: int) -> tuple[Counter[str], list[str]]:
    """Forged packets of the control interface."""
    nonsense.pester(seed, CLIENTS)
    return Counter({CLIENT: CLIENTS}), []


def insider(seed: int) -> tuple[Counter[str], list[str]]:
    """Forged payloads under the peer's own keys."""
    forged, faults = nonsense.misbehave(seed)
    return Counter({f"inside: {kind}": count for kind, count in forged.items()}), faults


def kind_of(seed: int) -> Callable[[int], tuple[Counter[str], list[str]]]:
    """What a seed is for."""
    return {4: insider, 9: client}.get(seed % 10, outsider)


def resident() -> float:
    """MB."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def fuzz(packets: int, seed: int, progress: Progress) -> tuple[Counter[str], int, list[float]]:
    """Throw that many; of which kinds, how many seeds failed, MB after each life."""
    task = progress.add_task("packets", total=packets)
    thrown, failed, memory = Counter[str](), 0, [resident()]
    while thrown.total() < packets:
        try:
            more, faults = kind_of(seed)(seed)
        except Exception as error:  # a crash: what this is all about
            where = traceback.extract_tb(error.__traceback__)[-1]
            more, faults = Counter({"crash": 1}), [f"{where.filename}:{where.lineno}: {error!r}"]
        thrown += more
        failed += bool(faults)
        for fault in faults:
            show.out.print(f"[bold red]seed {seed}[/]: {escape(fault)}")
        memory.append(resident())
        progress.update(task, completed=min(thrown.total(), packets))
        seed += 1
    return thrown, failed, memory


def main() -> int:
    """Fuzz, print and judge."""
    parser = argparse.ArgumentParser(description="Throw forged packets at IKE engines.")
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    arguments = parser.parse_args()
    logging.getLogger("tkm").setLevel(logging.CRITICAL)
    logging.getLogger("ike").propagate = False
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    began = time.monotonic()
    with Progress(*columns, TimeRemainingColumn(), console=show.err) as progress:
        thrown, failed, memory = fuzz(arguments.packets, arguments.seed, progress)
    seconds = time.monotonic() - began
    table = Listing("FORGERY", "PACKETS", right=("PACKETS",))
    for kind, count in thrown.most_common():
        table.add_row(kind, f"{count:,}")
    show.out.print(table)
    growth = memory[-1] - memory[len(memory) // 10]
    show.out.print(
        f"{thrown.total():,} packets in {seconds:.0f} s, {thrown.total() / seconds:,.0f} a second; "
        f"{memory[0]:.1f} MB at the start, {memory[-1]:.1f} at the end"
    )
    good = not failed and growth <= GROWTH
    faults = f"{failed} seeds failed, {growth:+.1f} MB"
    show.out.print("[bold green]good[/]" if good else f"[bold red]{faults}[/]")
    return 0 if good else 1


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
