# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames and log lines for a front end, those of the past, and new ones as they come."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from lab.agent.capture import Capture
from lab.agent.journal import Journal
from lab.agent.line import AgentChannel
from lab.agent.nodes import Node


def lines(nodes: Sequence[Node], daemon: str, since: int) -> dict[str, Any]:
    """What one daemon, or ("") every daemon of some nodes has printed, from line `since` on.

    Raises:
        UsageError: no node has a daemon of that name.
    """
    chosen = [(one, each) for one in nodes for each in _daemons(one, daemon)]
    if daemon and not chosen and nodes:
        nodes[0].daemon(daemon)
    for _, each in chosen:
        each.read()
    found = [
        [line.number, line.time, one.name, each.name, line.text]
        for one, each in chosen
        for line in takewhile(lambda line: line.number >= since, reversed(each.lines))
    ]
    return {"lines": sorted(found), "forgotten": sum(each.forgotten for _, each in chosen)}


def _daemons(one: Node, name: str) -> list[Any]:
    return [found for found in one.daemons.values() if name in ("", found.name)]


async def logs(
    channel: AgentChannel, journal: Journal, nodes: Sequence[Node], request: dict[str, Any]
) -> None:
    """Send lines as they are printed, until the front end hangs up."""
    since = request["since"]
    while True:
        waiting = journal.more.next()
        found = lines(nodes, request["daemon"], since)
        if found["lines"]:
            since = found["lines"][-1][0] + 1
            channel.send({"event": "lines"} | found)
            await channel.room()
        await waiting.wait()


async def frames(channel: AgentChannel, capture: Capture, request: dict[str, Any]) -> None:
    """Send frames as they are captured, until the front end hangs up."""
    since = request["since"]
    while True:
        waiting = capture.more.next()
        about, pcap = capture.fetch(request["link"], since)
        since = about["next"]
        if about["frames"] or about["lost"]:
            channel.send({"event": "frames"} | about, pcap)
            await channel.room()
        await waiting.wait()
