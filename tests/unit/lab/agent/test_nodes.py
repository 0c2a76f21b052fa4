# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's side of a node."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from lab.agent import nodes
from lab.agent.journal import Journal
from lab.agent.nodes import Node
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
