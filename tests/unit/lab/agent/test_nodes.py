# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's side of a node."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from lab.agent import nodes, watch
from lab.agent.journal import Journal
from lab.agent.nodes import Daemon, Node, Process
from lab.client.status import Log
from lab.errors import LabError

UP = json.dumps({"up": True}).encode()


async def _up(answer: bytes | None) -> None:
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with control, theirs:
        one = Node({"name": "alice"}, 1, control, Journal(), "mine")
        if answer is not None:
            theirs.send(answer)
        try:
            await one.up()
        finally:
            if answer is None:
                theirs.send(UP)
                one._receive()
            asyncio.get_running_loop().remove_reader(control)


def test_a_node_that_answers_too_late_is_not_waited_for_and_does_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nodes, "_DEADLINE", 0.05)
    with pytest.raises(LabError, match=r"^node alice has not answered for 0 s$"):
        asyncio.run(_up(None))


def test_a_node_that_answers() -> None:
    asyncio.run(_up(UP))
    with pytest.raises(LabError, match=r"^node alice did not start: no network$"):
        asyncio.run(_up(json.dumps({"down": "no network"}).encode()))


async def _dead() -> tuple[str, str]:
    """What is reported of a node that dies while it makes its namespaces, and after that."""
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one = Node({"name": "alice"}, 1, control, Journal(), "mine")
    theirs.close()
    with pytest.raises(LabError) as died:
        await one.up()
    with pytest.raises(LabError) as dead:
        one.order({"signal": 15, "id": 1})
    return str(died.value), str(dead.value)


def test_what_to_do_with_a_lab_whose_node_is_dead_can_be_pasted() -> None:
    expected = "node alice has died: end it with 'tkm-lab down --lab mine' and build it again"
    assert asyncio.run(_dead()) == (expected, expected)


async def _printed(pieces: Iterator[bytes]) -> tuple[Daemon, int]:
    """A daemon that has printed these, and the octets of memory that this took in the end."""
    output, its = os.pipe()
    daemon = Daemon("talks", cast(Process, None), output, Journal())
    gc.collect()
    tracemalloc.start()
    try:
        for piece in pieces:
            os.write(its, piece)
            daemon.read()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        os.close(its)
        daemon.read()
    return daemon, taken


@pytest.mark.parametrize("length", [1, 80, 1000])
def test_the_kept_lines_of_a_daemon_are_bounded_in_memory(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "LOG", 1 << 18)
    lines = (b"%0*d\n" % (length, number) for number in range(3000))
    daemon, taken = asyncio.run(_printed(lines))
    assert 0.8 * nodes.LOG < taken <= 1.2 * nodes.LOG
    numbers = [line.number for line in daemon.lines]
    assert numbers == list(range(3000 - len(numbers), 3000))
    assert daemon.forgotten == 3000 - len(numbers)
    one = cast(Node, SimpleNamespace(name="alice", daemons={"talks": daemon}))
    for told in (watch.lines([one, one], "", 0), watch.lines([one, one], "talks", 2999)):
        assert Log(told).forgotten == 2 * daemon.forgotten


def test_a_line_that_never_ends_is_ended() -> None:
    daemon, taken = asyncio.run(_printed(b"x" * 50_000 for _ in range(200)))
    assert taken <= 1.2 * nodes.LOG
    assert {line.text for line in daemon.lines} == {"x" * 100_000}
