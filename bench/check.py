# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast `check` verifies: 10,000, 50,000 and 200,000 ESP packets of two SAs, on one processor.

    .venv/bin/python bench/check.py [COUNT...]

Each row: packets, packets a second of processor time, peak memory of the process, and the time for
a packet against that of the first row: 1.0 is linear. Each count has a process of its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.check.proof import Echo, Mode, iter_pcap, write_pcap
from lab.check.proof.engine import verify
from tests.unit.lab.check.proof import builder

COUNTS = (10_000, 50_000, 200_000)
SAS = [
    builder.sa("192.168.0.1", "192.168.0.2", 0xC0000001, Mode.TRANSPORT),
    builder.sa("192.168.0.2", "192.168.0.1", 0xC0000002, Mode.TRANSPORT),
]


def capture(count: int) -> bytes:
    """So many echo messages, as the lab's capture has them."""
    frames = []
    for number in range(count):
        sa = SAS[number % 2]
        echo = Echo(sa.src, sa.dst, 7, number // 2 % 65536, bytes(56), number % 2 > 0)
        packet = builder.carry(sa, number // 2 + 1, echo)
        frames.append((number / 1000, builder.ethernet(packet)))
    return write_pcap(frames)


def measure(octets: bytes, count: int) -> None:
    """Verify, and print a row's first numbers."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    verdict = verify(iter_pcap(octets), SAS, ())
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert verdict.ok
    assert len(verdict.esp) == count
    RESULTS.put((count, seconds, before, peak))


RESULTS: multiprocessing.Queue[tuple[int, float, int, int]] = multiprocessing.Queue()


def main(counts: list[int]) -> None:
    """Measure each count."""
    print(f"{'packets':>8} {'a second':>9} {'MB more':>8} {'MB peak':>8} {'ratio':>6}")
    base = 0.0
    for count in counts:
        process = multiprocessing.Process(target=lambda n=count: measure(capture(n), n))
        process.start()
        _, seconds, before, peak = RESULTS.get()
        process.join()
        base = base or seconds / count
        rate, more = count / seconds, (peak - before) / 1024
        ratio = seconds / count / base
        print(f"{count:8} {rate:9.0f} {more:8.0f} {peak / 1024:8.0f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or list(COUNTS))
