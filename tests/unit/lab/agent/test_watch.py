# SPDX-License-Identifier: GPL-2.0-or-later
"""What a front end gets that follows the frames of one link."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

from lab.agent import watch
from lab.agent.capture import Capture
from lab.agent.condition import Condition
from lab.agent.line import AgentChannel


class _Enough(Exception):
    """The front end has hung up."""


class _Channel:
    """Keeps what is sent, and ends after the first message."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, body: dict[str, Any], _: bytes) -> None:
        self.sent.append(body)

    async def room(self) -> None:
        raise _Enough


class _Capture:
    """Has nothing to tell at the first look, and then lost frames without a new one."""

    def __init__(self) -> None:
        self.more = Condition()
        self._looks = 0

    def fetch(self, _: str, __: int) -> tuple[dict[str, Any], bytes]:
        lost = 7 if self._looks else 0
        self._looks += 1
        asyncio.get_running_loop().call_soon(self.more.notify)
        return {"ports": [], "frames": [], "next": 7 * self._looks, "lost": lost}, b""


def test_losses_are_sent_though_the_link_was_silent() -> None:
    channel = _Channel()

    async def follow() -> None:
        request = {"link": "west", "since": 0}
        await watch.frames(cast(AgentChannel, channel), cast(Capture, _Capture()), request)

    with contextlib.suppress(_Enough):
        asyncio.run(asyncio.wait_for(follow(), 20))
    assert [(body["event"], body["frames"], body["lost"]) for body in channel.sent] == [
        ("frames", [], 7)
    ]
