# SPDX-License-Identifier: GPL-2.0-or-later
"""The keeper gives up an agent that has fallen silent, and none that only has nothing to say."""

from __future__ import annotations

import asyncio
import socket

import pytest

from lab.agent import agent
from lab.agent.line import Line
from lab.client import rendezvous
from lab.errors import KernelError, NameInUse
from lab.kernel.keeper import Keeper
from lab.protocol.channel import Channel, Decoder, encode
from lab.protocol.mux import TOWARDS_AGENT, Mux

DEADLINE = 10.0
READY, BEAT = encode({"event": "ready"}), encode({"event": "beat"})


def keeper(leash: socket.socket) -> Keeper:
    return Keeper(rendezvous.make_plan("never-up", "host", {}, "1G", 1 << 20), leash)


def test_an_agent_that_falls_silent_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        kept = keeper(theirs)
        kept._agent_says(READY)
        for _ in range(100):
            kept._mind_silence(10.0)
            kept._agent_says(BEAT)
        kept._mind_silence(120.0)
        with pytest.raises(KernelError, match="has sent nothing for 120 s: it hangs"):
            kept._mind_silence(1.0)


def test_that_the_agent_lives_is_told_to_nobody() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(DEADLINE)
        kept, leash = keeper(theirs), Channel(ours)
        kept._agent_says(BEAT + READY + BEAT + encode({"event": "last"}))
        assert [leash.receive().body["event"] for _ in range(2)] == ["ready", "last"]


def test_the_agent_tells_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_BEAT", 0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert asyncio.run(_beats(ours, theirs, 5)) == [{"event": "beat"}] * 5


async def _beats(ours: socket.socket, theirs: socket.socket, count: int) -> list[object]:
    """The first so many words of an agent that has nothing to say."""
    loop, mux, decoder = asyncio.get_running_loop(), Mux(TOWARDS_AGENT), Decoder()
    ours.setblocking(False)

    async def serve(_: object) -> None:
        pytest.fail("nobody has connected")

    agent._beat(loop, Line(theirs.fileno(), serve))
    words: list[object] = []
    async with asyncio.timeout(DEADLINE):
        while len(words) < count:
            for frame in mux.receive(await loop.sock_recv(ours, 65536)):
                words += [message.body for message in decoder.feed(frame.octets)]
    return words[:count]


def test_a_name_that_is_taken_comes_with_a_command_that_frees_it() -> None:
    ours, theirs = socket.socketpair()
    taken = pytest.raises(NameInUse, match=r"is up already: tkm-lab down --lab never-up$")
    with ours, theirs, keeper(theirs)._listen(), taken:
        keeper(theirs)._listen()
