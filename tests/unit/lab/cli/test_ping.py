# SPDX-License-Identifier: GPL-2.0-or-later
"""The summary of `ping` agrees with its exit code."""

from __future__ import annotations

import io

import pytest

from lab.cli.inside import _PingOutput

REPLY = b"64 bytes from 192.168.0.2: icmp_seq=2 ttl=64 time=0.2 ms\n"
RTT = b"rtt min/avg/max/mdev = 0.1/0.1/0.1/0.0 ms\n"


@pytest.mark.parametrize(
    ("summary", "shown"),
    [
        (
            b"5 packets transmitted, 4 received, 20% packet loss, time 804ms\n",
            b"4 of 4 replies received, 1 more without a reply, time 804ms\n",
        ),
        (
            b"6 packets transmitted, 4 received, +2 duplicates, 33% packet loss, time 9ms\n",
            b"4 of 4 replies received, 2 more without a reply, time 9ms\n",
        ),
        (
            b"4 packets transmitted, 4 received, 0% packet loss, time 604ms\n",
            b"4 of 4 replies received, time 604ms\n",
        ),
        (b"9 packets transmitted, 3 received, 66% packet loss, time 9ms\n", None),
        (b"9 packets transmitted, 0 received, +9 errors, 100% packet loss, time 9ms\n", None),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_summary(summary: bytes, shown: bytes | None, size: int) -> None:
    printed = REPLY + summary + RTT + b"no newline"
    sink = io.BytesIO()
    output = _PingOutput(4, sink)
    for start in range(0, len(printed), size):
        output.write(printed[start : start + size])
    output.end()
    assert sink.getvalue() == REPLY + (shown or summary) + RTT + b"no newline"
