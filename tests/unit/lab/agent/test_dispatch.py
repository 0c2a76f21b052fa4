# SPDX-License-Identifier: GPL-2.0-or-later
"""Every request to the agent gets an answer: unknown, malformed and unreadable ones, too."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from lab import hint
from lab.agent import dispatch
from lab.agent.line import AgentChannel, Line
from lab.errors import LabError
from lab.protocol.channel import Decoder, Message, encode
from lab.protocol.mux import TOWARDS_AGENT, Kind, Mux


async def _double(_: AgentChannel, request: dispatch.Request, octets: bytes) -> dispatch.Answer:
    return {"twice": 2 * request["number"]}, octets * 2


async def _hang(_: AgentChannel, __: dispatch.Request, ___: bytes) -> dispatch.Answer:
    await asyncio.Event().wait()
    return {}, b""


ACTIONS: dict[str, dispatch.Action] = {"double": _double, "hang": _hang}


class Front:
    """A front end on channel 1 of a line to an agent that has `ACTIONS`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._mux = Mux(TOWARDS_AGENT)
        self._mux.open(1)
        self._decoder = Decoder()
        self.closed = False

    def send(self, octets: bytes) -> None:
        self._mux.send(1, octets)

    async def receive(self) -> list[Message]:
        """What arrives next."""
        loop = asyncio.get_running_loop()
        messages: list[Message] = []
        while not messages and not self.closed:
            await loop.sock_sendall(self._sock, bytes(self._mux.output))
            self._mux.output.clear()
            for frame in self._mux.receive(await loop.sock_recv(self._sock, 65536)):
                if frame.kind is Kind.DATA:
                    messages += self._decoder.feed(frame.octets)
                self.closed = self.closed or frame.kind is Kind.CLOSE
        return messages


def talk(conversation: Callable[[Front], Any]) -> Any:
    """Run a front end's side of a conversation with the agent."""

    async def both() -> Any:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            fd = os.dup(theirs.fileno())
            line = Line(fd, lambda channel: dispatch.serve(channel, ACTIONS, "mine"))
            agent = asyncio.ensure_future(line.run())
            result = await asyncio.wait_for(conversation(Front(ours)), 10)
            agent.cancel()
            return result

    return asyncio.run(both())


def answer_to(*messages: bytes) -> dict[str, Any]:
    """The first message that answers these."""

    async def conversation(front: Front) -> dict[str, Any]:
        for octets in messages:
            front.send(octets)
        return (await front.receive())[0].body

    body: dict[str, Any] = talk(conversation)
    return body


GOOD = encode({"do": "double", "number": 4})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"do": "frobnicate"}, f"the request 'frobnicate': {hint.rebuild('mine')}"),
        ({}, "does not name what to do"),
        ({"event": "stdout"}, "does not name what to do"),
        ({"do": ["double"]}, "does not name what to do"),
        ({"do": None, "number": 1}, "does not name what to do"),
        ({"do": "double"}, "malformed request 'double': 'number' is missing"),
    ],
)
def test_what_the_agent_cannot_do_is_an_error(body: dict[str, Any], told: str) -> None:
    answer = answer_to(encode(body))
    assert told in answer["error"]
    assert answer["exit"] == 2


def test_a_defect_is_answered_too(capsys: pytest.CaptureFixture[str]) -> None:
    answer = answer_to(encode({"do": "double", "number": {}}))
    assert answer["error"].startswith("defect in the lab's agent: TypeError")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("left", ["stdin", "size", "signal", "octets"])
def test_what_is_left_over_from_a_request_is_passed_over(left: str) -> None:
    assert answer_to(encode({left: True}, b"late"), GOOD) == {"done": {"twice": 8}}


@pytest.mark.parametrize("text", [b"no JSON!", b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("running", [b"", encode({"do": "hang"})], ids=["idle", "busy"])
def test_octets_that_are_no_message_end_the_connection(text: bytes, running: bytes) -> None:
    async def conversation(front: Front) -> list[Message]:
        size = len(text).to_bytes(4, "big")
        front.send(running + (len(text) + 4).to_bytes(4, "big") + size + text)
        messages = await front.receive()
        await front.receive()
        assert front.closed
        return messages

    (message,) = talk(conversation)
    assert "another protocol" in message.body["error"]


def test_the_front_end_refuses_what_is_not_an_object() -> None:
    with pytest.raises(LabError, match="another protocol"):
        list(Decoder().feed(b"\0\0\0\6\0\0\0\2[]"))
