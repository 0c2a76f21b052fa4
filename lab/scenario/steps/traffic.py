# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that send packets."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from lab.scenario import values
from lab.scenario.errors import Failed
from lab.scenario.forge import FORGERIES
from lab.scenario.step import Step, key, kind
from lab.scenario.values import Pair

if TYPE_CHECKING:
    from lab.scenario.stage import Stage

_INTERVAL = "0.1"
"""Seconds between two echo requests."""


@kind
class Ping(Step):
    """Send echo requests until enough of them are answered. The first ones may raise the tunnel."""

    ping: Pair = key(values.pair, "who pings whom")
    count: int = key(values.number, "how many answers are enough", default=1)
    silent: bool = key(values.flag, "no answer may come instead, for `within`", default=False)
    within: float = key(values.seconds, "how long they may take together", default=10)

    def attempt(self, stage: Stage) -> str:
        address = stage.address(self.ping)
        # An ordinary host sends what others have to answer; ping itself minds the deadline.
        limit = ["-w", str(math.ceil(self.within))]
        count = [] if self.silent else ["-c", str(self.count)]
        done = stage.run(
            self.ping.source, "ping", "-n", "-q", "-i", _INTERVAL, *count, *limit, address
        )
        found = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout.decode())
        if not found:
            raise Failed(done.stderr.decode(errors="replace").strip() or "ping printed nothing")
        sent, answered = int(found[1]), int(found[2])
        what = f"{answered} of {sent} answered"
        if (answered > 0) if self.silent else (answered < self.count):
            raise Failed(what)
        return what


@kind
class Stream(Step):
    """Send echo requests from now on to the end, whatever happens: so that leaks would be seen."""

    stream: Pair = key(values.pair, "who sends to whom")
    every: float = key(values.seconds, "seconds between two of them", default=0.02)

    def attempt(self, stage: Stage) -> str:
        command = ["ping", "-n", "-q", "-i", f"{self.every:g}", stage.address(self.stream)]
        stage.lab.spawn(self.stream.source, command, name=f"stream to {self.stream.destination}")
        return f"every {self.every:g} s"


@kind
class Inject(Step):
    """Put ESP on the wire that neither host has sent, as somebody in between could.

    It is made of the last ESP packet between the two. `replayed`: the same octets again. `flipped`:
    with a later sequence number and a bit turned over. `forged`: with an SPI and octets that are
    made up. `expect_counters` counts from here.
    """

    inject: str = key(values.one_of(*FORGERIES), "what is wrong with it")
    between: Pair = key(values.pair, "the source that it claims -> the destination")
    count: int = key(values.number, "how many packets", default=1)

    def attempt(self, stage: Stage) -> str:
        source, destination, _ = self.between
        genuine = [
            (link, packet.frame)
            for link in stage.topology.nodes[destination].addresses
            for packet in stage.packets(link)
            if packet.kind == "ESP" and (packet.source, packet.destination) == (source, destination)
        ]
        if not genuine:
            raise Failed(f"there was no ESP from {source} to {destination} to make it of")
        link, frame = genuine[-1]
        stage.memory["counters", destination] = stage.counters(destination)
        forged = [FORGERIES[self.inject](frame, number) for number in range(self.count)]
        stage.lab.inject(link, destination, forged)
        return f"{len(forged)} on {link}"
