# SPDX-License-Identifier: GPL-2.0-or-later
"""Twice the packets on twice the SAs take twice the steps, and no more."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import lab.check
from lab.check.proof import Echo, Frame, Sa, Verdict
from lab.check.proof.engine import verify

from . import builder

OURS = str(Path(lab.check.__file__).parent)
ALICE, BOB, NAT = "192.168.0.1", "192.168.0.2", "203.0.113.9"
ECHO = Echo(ALICE, BOB, identifier=926, sequence=1, payload=builder.octets(56, 5))
COUNT = 100


def steps(work: Callable[[], object]) -> int:
    """How many lines of `lab.check` a piece of work runs."""
    count = 0

    def line(_: FrameType, event: str, __: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def call(frame: FrameType, _: str, __: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def rekeyed(count: int) -> list[Sa]:
    """The SAs that a policy has had."""
    return [builder.sa(ALICE, BOB, 0xC0000000 + number) for number in range(count)]


def behind_nat(count: int) -> Verdict:
    """Each SA is to an address that the link never sees."""
    sas = [replace(sa, in_udp=True) for sa in rekeyed(count)]
    packets = []
    for sa in sas:
        octets = builder.esp(sa, 1, builder.ICMP, builder.icmp(ECHO))
        packets.append(builder.ip(ALICE, NAT, builder.UDP, builder.udp(4500, 4500, octets)))
    return verify(builder.capture(packets), sas, ())


def unknown(count: int) -> Verdict:
    """No packet is of an SA that is known."""
    packets = [builder.carry(builder.sa(ALICE, BOB, number), 1, ECHO) for number in range(count)]
    return verify(builder.capture(packets), rekeyed(count), ())


def pieces_lost(count: int) -> Verdict:
    """Each SA lacks one packet, of which a last piece is left."""
    sas = rekeyed(count)
    whole = [builder.carry(sa, sequence, ECHO) for sa in sas for sequence in (1, 3)]
    return verify(from_alice([*whole, *map(rest, range(count))]), sas, ())


def none_lost(count: int) -> Verdict:
    """Last pieces of packets that no SA lacks."""
    sas = rekeyed(count)
    whole = [builder.carry(sa, 1, ECHO) for sa in sas]
    return verify(from_alice([*whole, *map(rest, range(count))]), sas, ())


def rest(number: int) -> bytes:
    """The last piece of a datagram with that identification."""
    content = random.Random(number).randbytes(64)
    octets = builder.ip_fragment(ALICE, BOB, builder.ESP, content, 1480, more=False)
    return octets[:4] + number.to_bytes(2) + octets[6:]


def from_alice(packets: list[bytes]) -> list[Frame]:
    return builder.capture(packets, ["alice"] * len(packets))


@pytest.mark.parametrize(
    ("case", "refused"), [(behind_nat, 0), (unknown, 1), (pieces_lost, 0), (none_lost, 1)]
)
def test_steps_are_linear_in_packets_and_sas(case: Callable[[int], Verdict], refused: int) -> None:
    assert len(case(COUNT).failures) == refused * COUNT
    once, twice = steps(lambda: case(COUNT)), steps(lambda: case(2 * COUNT))
    assert 1.8 * once < twice < 2.1 * once
