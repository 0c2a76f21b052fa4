#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long each operation of the TKM takes, as its client sees it.

    .venv/bin/python bench/rpc.py [--rounds 20] [--handshakes 5] [--json]

Two Key Managers, fresh processes on kernels that only note down, are called over their sockets as
IKE daemons call them, and log as they always do. Each number is the least of the rounds' medians,
of many short rounds: on a shared machine the others' work only ever adds, and comes and goes.

"In a row" is one operation again and again; in a handshake the other operations come between, and
the processor's caches and clocks cool down. Which of both the original's figures are, is not known:
goals are judged in a row where that is possible, else with RSA-2048, which the original had. At the
end: what a call is made of, each part alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import parts
from bench.processes import NOTING, KeyManagerProcess
from lab.cli import show
from lab.cli.layout import Listing
from lab.pki import CA
from tests.unit.tkm.conversation import MODP_4096, SHA2_256, Conversation
from tests.unit.tkm.messages import init_message
from tests.unit.trusted import NAMES, Host, Identities, RecordingKernel, host, identity
from tkm.core.message import Half
from tkm.crypto.key_exchange import method_of
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import Request
from tkm.rpc.rpc2 import RPC2

HANDSHAKE: Final = "all of one handshake"
IN_A_ROW, RSA_2048, RSA_3072 = "in a row", "RSA-2048", "RSA-3072"
ORIGINAL: Final = {
    "tkm_limits": 0.013,
    "nc_create": 0.062,
    "ke_get": 18.7,
    "ke_set": 15.9,
    "isa_create": 0.12,
    "isa_sign": 0.77,
    HANDSHAKE: 37.0,
}
"""Milliseconds, with RSA-2048, of the original in Ada on a machine like the one of this bench."""
GOALS: Final = {
    "tkm_limits": 0.05,
    "nc_create": 0.06,
    "ke_get": 3.0,
    "ke_set": 3.0,
    "isa_create": 0.12,
    "isa_sign": 0.77,
    HANDSHAKE: 10.0,
}
"""Milliseconds."""
QUIET: Final = 0.61
"""Milliseconds of an RSA-2048 signature alone, on a machine like the one of the original's figures
that has nothing else to do.
"""
SPI: Final = bytes(range(8))
SHORT: Final = 1000
"""How often a short operation is called in a row."""
LONG: Final = 100
"""How often one that needs a key exchange of its own is."""


class Clock(Client):
    """A client with a stop watch.

    :ivar took: milliseconds of each call, by operation.
    """

    took: dict[str, list[float]]

    def call(self, request: Request[Any]) -> Any:
        """Ask, and note how long it took."""
        began = time.perf_counter()
        reply = super().call(request)
        self.took[request.operation].append((time.perf_counter() - began) * 1000)
        return reply


def clocked(process: KeyManagerProcess) -> Clock:
    """A client of that process."""
    client = Clock(RPC2, process.transport(RPC2))
    client.took = defaultdict(list)
    return client


def identities(bits: int) -> Identities:
    """A CA, and hosts with RSA keys of that length."""
    ca = CA("tkm-lab root")
    keys = {name: rsa.generate_private_key(65537, bits) for name in NAMES}
    issued = {name: ca.issue_cert(identity(name), key=key) for name, key in keys.items()}
    return Identities(ca, {name: own.certificate.der for name, own in issued.items()}, keys)


def served(stack: ExitStack, bits: int) -> list[Host]:
    """Two hosts, each with a Key Manager in a process of its own."""
    made, found = identities(bits), []
    for name in NAMES:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        process = KeyManagerProcess(folder, name, NOTING, identities=made)
        stack.enter_context(process)
        found.append(
            replace(
                host(name),
                client=clocked(process),
                kernel=RecordingKernel(),
                certificate=made.certificates[name],
                ca=made.ca.root.certificate.der,
            )
        )
    return found


def in_handshakes(hosts: list[Host], count: int) -> dict[str, float]:
    """Medians by operation, and of the sums over one host's handshake."""
    sums = []
    clocks = [host.client.took for host in hosts]
    for took in clocks:
        took.clear()
    for _ in range(count):
        before = [sum(map(sum, took.values())) for took in clocks]
        Conversation(hosts[0], hosts[1]).start(MODP_4096)
        after = [sum(map(sum, took.values())) for took in clocks]
        sums += [late - early for early, late in zip(before, after, strict=True)]
    names = clocks[0].keys() | clocks[1].keys()
    medians = {name: median_of(name, *clocks) for name in names}
    return medians | {HANDSHAKE: statistics.median(sums)}


def median_of(name: str, *clocks: dict[str, list[float]]) -> float:
    """Of all calls of an operation."""
    return statistics.median(value for took in clocks for value in took[name])


def in_a_row(of: Host) -> dict[str, float]:
    """Medians by operation, of a Key Manager that does nothing else between."""
    client, took = of.client, of.client.took
    client.call(rpc2.TkmReset())
    values: dict[int, bytes] = {}
    nonces: dict[int, bytes] = {}
    peers = method_of(MODP_4096).generate().public_value()
    for number in range(1, LONG + 1):
        values[number] = client.call(rpc2.KeGet(ke=number, method=MODP_4096)).public_value
        client.call(rpc2.KeSet(ke=number, method=MODP_4096, public_value=peers))
    took.clear()
    calls: list[tuple[int, Callable[[int], Request[Any]]]] = [
        (SHORT, lambda _: rpc2.TkmLimits()),
        (SHORT, lambda number: rpc2.NcCreate(nc=number, length=32)),
        (LONG, lambda number: create(number, number)),
        (LONG, lambda number: sign(number, values[number], nonces[number])),
    ]
    for count, request in calls:
        for number in range(1, count + 1):
            reply = client.call(request(number))
            if isinstance(reply, rpc2.NonceReply):
                nonces[number] = reply.nonce
    medians = {name: median_of(name, took) for name in took}
    client.call(rpc2.TkmReset())
    return medians


def create(isa: int, ke: int) -> rpc2.IsaCreate:
    """An IKE SA of its own nonce, endpoint and key exchange."""
    return rpc2.IsaCreate(
        isa=isa, ae=isa, ia=1, ke=ke, nc_loc=isa, nonce_rem=bytes(32), initiator=True,
        spi_loc=SPI, spi_rem=SPI[::-1],
    )  # fmt: skip


def sign(isa: int, public_value: bytes, nonce: bytes) -> rpc2.IsaSign:
    """AUTH over the first message of an IKE SA."""
    message = init_message(Half(SPI, MODP_4096, public_value, nonce), SPI[::-1], by_initiator=True)
    return rpc2.IsaSign(isa=isa, lc=1, hash_algorithms=(SHA2_256,), init_message=message)


class Row(NamedTuple):
    """An operation in milliseconds."""

    operation: str
    measured: dict[str, float]
    original: float | None
    goal: float | None

    @property
    def good(self) -> bool | None:
        """The goal is reached; ``None`` if there is none."""
        judged = self.measured.get(IN_A_ROW, self.measured[RSA_2048])
        return None if self.goal is None else judged <= self.goal


def measure(rounds: int, handshakes: int) -> list[Row]:
    """All of it; the rounds take turns, so that a bad moment hits everything alike."""
    least: dict[str, dict[str, float]] = defaultdict(dict)
    with ExitStack() as stack:
        hosts = {RSA_2048: served(stack, 2048), RSA_3072: served(stack, 3072)}
        for _ in range(rounds):
            found = {kind: in_handshakes(two, handshakes) for kind, two in hosts.items()}
            found[IN_A_ROW] = in_a_row(hosts[RSA_2048][0])
            for kind, medians in found.items():
                for name, value in medians.items():
                    least[name][kind] = min(value, least[name].get(kind, value))
    names = [*sorted(least.keys() - {HANDSHAKE}), HANDSHAKE]
    return [Row(name, least[name], ORIGINAL.get(name), GOALS.get(name)) for name in names]


def print_tables(rows: list[Row], alone: dict[str, float]) -> None:
    """For people."""
    kinds = (IN_A_ROW, RSA_2048, RSA_3072)
    numbers = (*(kind.upper() for kind in kinds), "ORIGINAL", "GOAL")
    table = Listing("OPERATION, ms", *numbers, "", right=numbers)
    for row in rows:
        values = (*map(row.measured.get, kinds), row.original, row.goal)
        verdict = {True: "[green]good[/]", False: "[red]missed[/]", None: ""}[row.good]
        table.add_row(row.operation, *map(shown, values), verdict)
    show.out.print(table)
    table = Listing("PART OF A CALL, ALONE", "ms", right=("ms",))
    for name, value in alone.items():
        table.add_row(name, shown(value))
    show.out.print(table)
    show.out.print(
        f"[dim]load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors[/]"
    )
    slower = alone[parts.SIGNATURE] / QUIET
    if slower > 1.1:
        show.out.print(
            f"[yellow]The machine is {slower:.1f} times as slow as when it is left alone "
            f"({parts.SIGNATURE}: {QUIET} ms): so is all of the above.[/]"
        )


def shown(value: float | None) -> str:
    """A cell."""
    return "" if value is None else f"{value:.3f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the operations of the TKM.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--handshakes", type=int, default=5, help="in each round")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    rows = measure(arguments.rounds, arguments.handshakes)
    alone = parts.measure(arguments.rounds)
    if arguments.json:
        listed = [row._asdict() | {"good": row.good} for row in rows]
        found = {"operations": listed, "parts": alone, "load": os.getloadavg()[0]}
        print(json.dumps(found, indent=2))
    else:
        print_tables(rows, alone)


if __name__ == "__main__":
    main()
