#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Handshakes in a row: does a Key Manager's memory stay where it is, and its pace?

    .venv/bin/python bench/handshakes.py [--handshakes 10000]

Two Key Managers, fresh processes on kernels that only note down, are called over their sockets as
IKE daemons call them: IKE_SA_INIT with MODP-4096, IKE_AUTH, a first Child SA; then all is deleted.
After each tenth there is a line. Exit code 0: at most 40 MB were resident, and it does not grow.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.processes import NOTING, KeyManagerProcess
from lab.cli import show
from lab.cli.layout import Listing
from tests.unit.tkm.conversation import MODP_4096, Conversation
from tests.unit.trusted import Host, hosts
from tkm.rpc.client import Client
from tkm.rpc.rpc2 import RPC2

MOST = 40.0
"""MB that a Key Manager may hold."""
GROWTH = 0.5
"""MB that the last tenth may hold more than the second; the first one still fills caches."""


def handshake(alice: Host, bob: Host) -> float:
    """From nothing to the first Child SA, and back to nothing; seconds of the way there."""
    began = time.perf_counter()
    talk = Conversation(alice, bob)
    talk.ike_sa_init(MODP_4096)
    talk.ike_auth()
    talk.first_child()
    took = time.perf_counter() - began
    talk.delete_child(1)
    talk.delete()
    return took


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description="Lead handshakes in a row, and watch the memory.")
    parser.add_argument("--handshakes", type=int, default=10_000)
    count = max(parser.parse_args().handshakes, 10)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        served: list[Host] = []
        processes: list[KeyManagerProcess] = []
        for host in hosts():
            own = folder / host.name
            own.mkdir()
            process = stack.enter_context(KeyManagerProcess(own, host.name, NOTING))
            processes.append(process)
            served.append(replace(host, client=Client(RPC2, process.transport(RPC2))))
        return measure(served, processes, count)


def measure(served: list[Host], processes: list[KeyManagerProcess], count: int) -> int:
    """Lead them all; the exit code."""
    columns = ("HANDSHAKES", "MEDIAN ms", *(f"{host.name} MB" for host in served))
    table = Listing(*columns, right=columns)
    held = [[process.memory()["VmRSS"] for process in processes]]
    table.add_row("0", "", *(f"{megabytes:.1f}" for megabytes in held[0]))
    for tenth in range(1, 11):
        rounds = count * tenth // 10 - count * (tenth - 1) // 10
        median = statistics.median(handshake(*served) for _ in range(rounds)) * 1000
        held.append([process.memory()["VmRSS"] for process in processes])
        shown = (f"{megabytes:.1f}" for megabytes in held[-1])
        table.add_row(str(count * tenth // 10), f"{median:.1f}", *shown)
    show.out.print(table)
    print_shares(served, processes)
    most = max(map(max, held))
    growth = max(last - second for second, last in zip(held[2], held[-1], strict=True))
    good = most <= MOST and growth <= GROWTH
    verdict = "[bold green]good[/]" if good else "[bold red]too much[/]"
    show.out.print(
        f"{verdict}: at most {most:.1f} MB (target {MOST:.0f}), "
        f"{growth:+.2f} MB from the second tenth to the last (target {GROWTH})"
    )
    return 0 if good else 1


def print_shares(served: list[Host], processes: list[KeyManagerProcess]) -> None:
    """What the memory is made of."""
    found = [process.shares() for process in processes]
    columns = ("OF IT", *(f"{host.name} MB" for host in served))
    table = Listing(*columns, right=columns[1:])
    for name in found[0]:
        table.add_row(name, *(f"{shares[name]:.1f}" for shares in found))
    show.out.print(table)


if __name__ == "__main__":
    sys.exit(main())
