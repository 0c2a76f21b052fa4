#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether packets are lost while SAs take each other's place.

    .venv/bin/python bench/soak.py [--pings 1000] [--interval 0.05] [--ike bob=strongswan]

For each kind of change one host pings the other, while the change is made over and over, each time
as soon as the one before is over on both sides. At the end the wire is proven. Exit code 1 if a
packet was lost.
"""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Callable, Sequence

from lab.build import builder
from lab.build.backends import assign
from lab.check.checker import check
from lab.cli import show
from lab.cli.layout import Listing
from lab.client import vici
from lab.client.lab import Lab
from lab.errors import LabError
from lab.topology import load

HOSTS = ("alice", "bob")
DEADLINE = 30.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Count packets that are lost at rekeyings.")
    parser.add_argument("--pings", type=int, default=1000, help="for each kind (%(default)s)")
    parser.add_argument("--interval", type=float, default=0.05, help="from ping to ping, seconds")
    parser.add_argument("--ike", action="append", default=[], metavar="NODE=BACKEND")
    parser.add_argument("--kernel", default="auto")
    arguments = parser.parse_args()
    topology = assign(load("two-hosts"), arguments.ike)
    lab = builder.up(topology, "bench-soak", arguments.kernel)
    try:
        raise SystemExit(soak(lab, arguments.pings, arguments.interval))
    finally:
        lab.down()


def soak(lab: Lab, pings: int, interval: float) -> int:
    """Make all kinds of changes; the exit code."""
    table = Listing("CHANGE", "TIMES", "PINGS", "LOST", right=("TIMES", "PINGS", "LOST"))
    lab.call("alice", ["ping", "-c", "1", "-w", "10", "192.168.0.2"])
    lost = 0
    for name, change in CHANGES.items():
        times, missing = one_kind(lab, change, pings, interval)
        table.add_row(name, str(times), str(pings), str(missing))
        lost += missing
    show.out.print(table)
    (proof,) = check(lab)
    show.out.print("the wire is proven" if proof.verdict.ok else f"flaws: {proof.verdict.failures}")
    return int(lost > 0 or not proof.verdict.ok)


def one_kind(
    lab: Lab, change: Callable[[Lab, int], None], pings: int, interval: float
) -> tuple[int, int]:
    """Make a change over and over while pings go on: how often, and how many got no reply."""
    output: list[str] = []
    command = ["ping", "-n", "-q", "-c", str(pings), "-i", str(interval), "192.168.0.2"]
    pinging = threading.Thread(
        target=lambda: output.append(lab.call("alice", command).stdout.decode())
    )
    pinging.start()
    times = 0
    while pinging.is_alive():
        change(lab, times)
        times += 1
    pinging.join()
    received = re.search(r"(\d+) received", output[0])
    if not received:
        raise SystemExit(f"ping failed:\n{output[0]}")
    return times, pings - int(received[1])


def rekey_child(lab: Lab, sides: Sequence[str]) -> None:
    """Rekey the Child SA from one side, or from both at once."""
    before = spis(lab)
    for side in sides:
        vici.rekey(lab, side, child="conn1")
    wait_until(lambda: settled(lab) and not spis(lab) & before)


def rekey_ike(lab: Lab, sides: Sequence[str]) -> None:
    """Rekey the IKE SA."""
    before = ike_spis(lab)
    for side in sides:
        vici.rekey(lab, side, ike="conn1")
    wait_until(lambda: settled(lab) and not ike_spis(lab) & before)


def reauthenticate(lab: Lab, side: str) -> None:
    """Set up another IKE SA with another Child SA."""
    before = spis(lab)
    vici.reauthenticate(lab, side, "conn1")
    wait_until(lambda: settled(lab) and not spis(lab) & before)


def settled(lab: Lab) -> bool:
    """Whether there is one IKE SA with one Child SA, the same on both sides."""
    found = [(alive(lab, node), spis_of(lab, node)) for node in HOSTS]
    return all(
        len(sas) == 1 and len(sas[0].children) == 1 and len(states) == 2 for sas, states in found
    )


def alive(lab: Lab, node: str) -> list[vici.IkeSa]:
    """Its IKE SAs but those that wait for the peer to confirm their end."""
    return [sa for sa in vici.sas(lab, node) if sa.state == "ESTABLISHED"]


def spis(lab: Lab) -> set[int]:
    """The SPIs that both kernels have."""
    one, other = (spis_of(lab, node) for node in HOSTS)
    return one | other


def spis_of(lab: Lab, node: str) -> set[int]:
    """The SPIs in a kernel; those of larval states aside."""
    return {state.spi for state in lab.states(node).states if state.spi}


def ike_spis(lab: Lab) -> set[tuple[int, int]]:
    """The SPIs of the IKE SAs of both sides."""
    return {sa.spis for node in HOSTS for sa in vici.sas(lab, node)}


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what a change brings.

    Raises:
        LabError: it does not come.
    """
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise LabError("the change does not come to its end")


CHANGES: dict[str, Callable[[Lab, int], None]] = {
    "a Child SA is rekeyed by one side": lambda lab, n: rekey_child(lab, (HOSTS[n % 2],)),
    "by both sides at once": lambda lab, _: rekey_child(lab, HOSTS),
    "an IKE SA is rekeyed by one side": lambda lab, n: rekey_ike(lab, (HOSTS[n % 2],)),
    "it is rekeyed by both sides at once": lambda lab, _: rekey_ike(lab, HOSTS),
    "it is reauthenticated": lambda lab, n: reauthenticate(lab, HOSTS[n % 2]),
}

if __name__ == "__main__":
    main()
