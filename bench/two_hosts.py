#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast two hosts come up, how soon the first packet is answered, how much memory they take.

    .venv/bin/python bench/two_hosts.py [--rounds 5] [--kernel auto]

Each round is a fresh lab. The table has medians, with the fastest and the slowest round. The
handshake is what the wire shows: from the IKE_SA_INIT request to the last IKE_AUTH datagram; the
second one is that of the same daemons, after the first IKE SA was deleted.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections import defaultdict, deque

from lab.build import builder
from lab.check.proof.pcap import read_pcap
from lab.cli import show
from lab.cli.layout import Listing
from lab.client.lab import Lab
from lab.topology import load

TARGETS = {
    "up": "4 s",
    "first reply": "0.15 s",
    "first handshake": "0.15 s",
    "second handshake": "0.15 s",
}
PORTS = (500).to_bytes(2, "big") * 2
EXCHANGE = 14 + 20 + 8 + 18
"""Where the IKE header has the exchange type, in an Ethernet frame."""
MOST_MEMORY = "40 MB"


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
    table = Listing("WHAT", "MEDIAN", "FROM", "TO", "TARGET", right=("MEDIAN", "FROM", "TO"))
    for name, values in found.items():
        unit = "MB" if name.startswith("memory") else "s"
        shown = (statistics.median(values), min(values), max(values))
        target = MOST_MEMORY if unit == "MB" else TARGETS.get(name, "")
        table.add_row(name, *(f"{v:.2f} {unit}" for v in shown), target)
    show.out.print(table)


def one_round(name: str, kernel: str) -> dict[str, float]:
    """Build, ping, look, end."""
    steps: list[builder.Step] = []
    began = time.monotonic()
    lab = builder.up(load("two-hosts"), name, kernel, steps.append)
    found = {"up": time.monotonic() - began}
    found |= {f"  {step.name}": step.seconds for step in steps}
    seen = 0
    for which in ("first", "second"):
        found[f"{which} reply"] = first_reply(lab)
        found[f"{which} handshake"], seen = handshake(lab, seen)
        with lab.vici("alice") as session:
            deque(session.terminate({"ike": "conn1"}), 0)
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


def handshake(lab: Lab, seen: int) -> tuple[float, int]:
    """Seconds from the first IKE_SA_INIT to the last IKE_AUTH, and the frames seen so far."""
    (link,) = lab.status().links
    capture = lab.capture(link, seen)
    times = [frame.time for frame in read_pcap(capture.pcap) if is_setup(frame.octets)]
    return times[-1] - times[0], capture.next


def is_setup(frame: bytes) -> bool:
    """It is a datagram of IKE_SA_INIT or IKE_AUTH, over IPv4 and port 500."""
    ports, exchange = frame[34:38], frame[EXCHANGE : EXCHANGE + 1]
    return frame[23:24] == b"\x11" and ports == PORTS and exchange in (b"\x22", b"\x23")


if __name__ == "__main__":
    main()
