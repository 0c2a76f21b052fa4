# SPDX-License-Identifier: GPL-2.0-or-later
"""From a message to the action that it asks for: every request gets an answer, unknown ones too."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lab import hint
from lab.agent.line import AgentChannel
from lab.errors import LabError, UsageError
from lab.protocol.channel import error

Answer = tuple[dict[str, Any], bytes]

_LEFTOVERS = frozenset({"stdin", "size", "signal", "octets"})
"""Keys of messages to a running request (`execute.run`, `dial.dial`). The front end may have sent
one before it learned that the request is over; such a message expects no answer."""


class Request(dict[str, Any]):
    """The JSON object of a request. To read a key that it lacks is a `UsageError`."""

    def __missing__(self, key: str) -> Any:
        raise UsageError(f"malformed request {self.get('do')!r}: {key!r} is missing")


Action = Callable[[AgentChannel, Request, bytes], Awaitable[Answer]]


async def serve(
    channel: AgentChannel,
    actions: Mapping[str, Action],
    lab: str,
    cause: Callable[[], str] = lambda: "",
) -> None:
    """Answer the requests of one connection, one after the other, until it is closed.

    Args:
        channel: the connection.
        actions: what answers each request.
        lab: the lab's name, for hints.
        cause: what is wrong with the whole machine, added to each error; empty: nothing.
    """
    while True:
        body, octets = await channel.receive()
        try:
            action = find(body, actions, lab)
            if action is None:
                continue
            done, answer = await action(channel, Request(body), octets)
            channel.send({"done": done}, answer)
        except LabError as trouble:
            channel.send(error(type(trouble)("; ".join(filter(None, [str(trouble), cause()])))))
        except Exception as trouble:  # a defect, ours: report it instead of hanging
            sys.excepthook(*sys.exc_info())
            channel.send(error(LabError(f"defect in the lab's agent: {trouble!r}")))


def find(body: Mapping[str, Any], actions: Mapping[str, Action], lab: str) -> Action | None:
    """The action that a message asks for; None for what is left over from an earlier request.

    Raises:
        UsageError: the message is not a request, or one that this lab does not know.
    """
    name = body.get("do")
    if name is None and not _LEFTOVERS.isdisjoint(body):
        return None
    if not isinstance(name, str):
        raise UsageError("malformed request: it does not name what to do")
    if name not in actions:
        raise UsageError(f"this lab does not know the request {name!r}: {hint.rebuild(lab)}")
    return actions[name]
