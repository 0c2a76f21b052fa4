#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast IKE_AUTH messages are read and built; crypto excluded.

    .venv/bin/python bench/messages.py [--messages 20000]

The messages are those of a real handshake, request and response. Each is taken from its octets on
the wire to data and back again: header, Encrypted payload and all payloads inside of it, whose
plain text a Key Manager would have had to give.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from ike.engine import protection
from ike.message.chain import encode_chain
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payloads import Encrypted, Payload
from lab.cli import show
from lab.cli.layout import Listing
from tests.unit.ike.network import Network

TARGET = 5000
OVERHEAD = 16 + 1 + 32
"""Octets of IV, pad length and integrity check value, which only the TKM can fill."""


def recorded() -> list[Message]:
    """The IKE_AUTH messages of a handshake, as they are before they are protected."""
    network, found, seal = Network(), [], protection.seal

    def noting(keys: Any, header: Header, payloads: Sequence[Payload], limit: Any) -> Any:
        found.append(Message(header, tuple(payloads)))
        return seal(keys, header, payloads, limit)

    with patch.object(protection, "seal", noting):
        network.ping(network.alice)
        network.run_until(network.is_up)
    return [message for message in found if message.header.exchange == ExchangeType.IKE_AUTH]


def build(message: Message) -> bytes:
    """The datagram of a message, room left for what the TKM fills in."""
    first, chain = encode_chain(message.payloads)
    return Message(message.header, (Encrypted(first, chain + bytes(OVERHEAD)),)).encode()


def parse(datagram: bytes) -> Message:
    """The message in a datagram whose plain text is there."""
    outer = Message.decode(datagram)
    sealed = outer.need(Encrypted)
    return protection.inside(outer.header, sealed.first, sealed.protected[:-OVERHEAD])


def rate(count: int, work: Callable[[], object]) -> float:
    """How often a second ``work`` is done, if it is done ``count`` times."""
    gc.collect()
    began = time.perf_counter()
    for _ in range(count):
        work()
    return count / (time.perf_counter() - began)


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description="Read and build IKE_AUTH messages.")
    parser.add_argument("--messages", type=int, default=20_000, help="of each kind (%(default)s)")
    count = parser.parse_args().messages
    table = Listing("MESSAGE", "OCTETS", "READ/s", "BUILT/s", "BOTH/s", right=("OCTETS",))
    worst = float("inf")
    for message in recorded():
        datagram = build(message)
        if parse(datagram) != message:
            raise SystemExit(f"{message} is not what comes of its octets")
        reading = rate(count, lambda of=datagram: parse(of))  # type: ignore[misc]
        building = rate(count, lambda of=message: build(of))  # type: ignore[misc]
        both = rate(count, lambda of=datagram: build(parse(of)))  # type: ignore[misc]
        worst = min(worst, both)
        kind = "response" if message.header.response else "request"
        shown = (f"{value:,.0f}" for value in (reading, building, both))
        table.add_row(f"IKE_AUTH {kind}", str(len(datagram)), *shown)
    show.out.print(table)
    good = worst >= TARGET
    verdict = "[bold green]good[/]" if good else "[bold red]too slow[/]"
    show.out.print(f"{verdict}: at least {worst:,.0f} read and built a second (target {TARGET:,})")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
