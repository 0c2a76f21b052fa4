# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames that are kept: how much memory they take, which are forgotten, what is fetched."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from lab.agent.capture import Frames
from lab.agent.links import Port
from lab.check.proof import read_pcap

WEST, EAST = Port("alice", "west", "eth0"), Port("bob", "east", "eth1")
BOUND = 1 << 20


def frame(number: int, length: int = 150) -> bytes:
    return number.to_bytes(length)


@pytest.mark.parametrize("length", [60, 150, 1514])
def test_a_full_ring_takes_its_bound_and_little_more(length: int) -> None:
    frames = Frames(BOUND)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(2 * BOUND // length):
            frames.keep(1_700_000_000 + number, number, WEST, frame(number, length))
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert frames.lost(0) > 0, "it is full"
    assert 0.8 * BOUND < taken <= 1.2 * BOUND


def test_the_oldest_are_forgotten_and_counted() -> None:
    frames = Frames(10_000)
    for number in range(100):
        frames.keep(5, number, WEST, frame(number))
    about, pcap = frames.fetch("", 0)
    kept = [int.from_bytes(each.octets) for each in read_pcap(pcap)]
    assert kept == list(range(100 - len(kept), 100))
    assert 0 < len(kept) < 10_000 // 150
    assert about == {
        "ports": [WEST],
        "frames": [0] * len(kept),
        "next": 100,
        "lost": 100 - len(kept),
    }


def test_each_link_has_its_frames() -> None:
    frames = Frames(BOUND)
    for number in range(6):
        frames.keep(5, number, (WEST, EAST)[number % 2], frame(number))
    about, pcap = frames.fetch("east", 2)
    assert [int.from_bytes(each.octets) for each in read_pcap(pcap)] == [3, 5]
    assert (about["ports"], about["frames"], about["lost"]) == ([EAST], [0, 0], 0)
    about, pcap = frames.fetch("", 3)
    assert [int.from_bytes(each.octets) for each in read_pcap(pcap)] == [3, 4, 5]
    assert (about["ports"], about["frames"]) == ([EAST, WEST], [0, 1, 0])
    assert frames.fetch("", 6)[0]["frames"] == []
    assert frames.fetch("", 7)[0]["frames"] == []


def test_what_the_socket_missed_is_lost_for_those_who_began_before() -> None:
    frames = Frames(BOUND)
    frames.keep(5, 0, WEST, frame(0))
    frames.miss(7)
    frames.keep(5, 1, WEST, frame(1))
    assert (frames.lost(0), frames.lost(1)) == (7, 0)


def test_a_socket_that_misses_frames_again_and_again_costs_no_memory() -> None:
    frames = Frames(10_000)
    tracemalloc.start()
    try:
        for number in range(20_000):
            frames.keep(5, number, WEST, frame(number))
            frames.miss(1)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 300_000
    assert frames.lost(0) == 2 * 20_000 - len(frames.fetch("", 0)[0]["frames"])
    assert frames.lost(19_990) == 10
