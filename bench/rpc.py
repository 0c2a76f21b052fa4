#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long each operation of the TKM takes, as its client sees it.

    .venv/bin/python bench/rpc.py [--handshakes 50]

Two Key Managers, each a process of its own, are called over their sockets as an IKE daemon calls
them: IKE_SA_INIT, IKE_AUTH, a first Child SA, a rekey with a key exchange and one without. Their
kernel only notes down what it is asked for, so that the table is about the TKM alone. Beside each
median stands what the original in Ada needs on a machine like the one this was written on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.cli import show
from tests.unit.tkm.conversation import MODP_4096, Conversation
from tests.unit.trusted import Host, RecordingKernel, hosts
from tkm.reactor import Reactor
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.record import Record
from tkm.rpc.rpc2 import RPC2, TkmLimits
from tkm.rpc.server import Server

ORIGINAL = {
    "tkm_limits": 0.013,
    "nc_create": 0.062,
    "ke_get": 18.7,
    "ke_set": 15.9,
    "isa_create": 0.12,
    "isa_sign": 0.77,
}
"""Milliseconds; isa_sign with RSA-2048, ours are RSA-3072."""

TARGET = {"tkm_limits": 0.05, "nc_create": 0.06, "ke_get": 3.0, "ke_set": 3.0}


class Timed(Client):
    """A client with a stop watch."""

    def __init__(self, path: str, found: dict[str, list[float]]) -> None:
        super().__init__(RPC2, SocketTransport(path, RPC2))
        self._found = found

    def call(self, request):  # type: ignore[no-untyped-def]
        """Ask, and note how long it took."""
        began = time.perf_counter()
        reply: Record = super().call(request)
        self._found[request.operation].append(time.perf_counter() - began)
        return reply


def serve(host: Host, path: str) -> None:
    """Be the Key Manager of a host."""
    with Reactor(lambda: None) as reactor:
        server = Server(path, host.manager.dispatcher(), reactor.selector)
        reactor.run()
        server.close()


@contextmanager
def served(host: Host, folder: Path, found: dict[str, list[float]]) -> Iterator[Host]:
    """The host, its Key Manager in a process of its own."""
    path = str(folder / host.name)
    process = multiprocessing.get_context("fork").Process(target=serve, args=(host, path))
    process.start()
    while not Path(path).exists():
        process.join(0.01)
    try:
        yield replace(host, client=Timed(path, found), kernel=RecordingKernel())
    finally:
        process.terminate()
        process.join()


def handshake(alice: Host, bob: Host) -> Conversation:
    """From nothing to the first Child SA."""
    return Conversation(alice, bob).start(MODP_4096)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the operations of the TKM.")
    parser.add_argument("--handshakes", type=int, default=50)
    arguments = parser.parse_args()
    found: dict[str, list[float]] = defaultdict(list)
    sums: list[float] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        alice, bob = (stack.enter_context(served(h, Path(folder), found)) for h in hosts())
        for _ in range(arguments.handshakes):
            before = {name: len(values) for name, values in found.items()}
            handshake(alice, bob)
            took = (values[before.get(name, 0) :] for name, values in found.items())
            sums.append(sum(map(sum, took)) / 2)
        for _ in range(200):
            alice.client.call(TkmLimits())
    print_table(found, sums)


def print_table(found: dict[str, list[float]], sums: list[float]) -> None:
    """Medians in milliseconds."""
    columns = ("OPERATION", "MEDIAN ms", "TARGET", "ORIGINAL")
    table = show.table(*columns, right=columns[1:])
    for name in sorted(found):
        row = (statistics.median(found[name]) * 1000, TARGET.get(name), ORIGINAL.get(name))
        table.add_row(name, *("" if value is None else f"{value:.3f}" for value in row))
    one = statistics.median(sums) * 1000
    table.add_row("[bold]all of one handshake[/]", f"{one:.1f}", "10.0", "37")
    show.out.print(table)


if __name__ == "__main__":
    main()
