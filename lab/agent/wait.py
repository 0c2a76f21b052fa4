# SPDX-License-Identifier: GPL-2.0-or-later
"""Conditions in a node, waited for where they happen, with a deadline."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from lab.agent.nodes import Node
from lab.errors import LabError

_INTERVAL = 0.01


async def wait(node: Node, request: dict[str, Any]) -> None:
    """Wait until one of these holds, by the key that the request has.

    `socket`: a stream socket accepts at this path. `exit`: the daemon has ended. `line`: `daemon`
    has printed it, or a line that it is part of. With `daemon`, its death ends the wait, too.

    Raises:
        LabError: the deadline passed, or the daemon died.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request["deadline"]
    watched = node.daemon(request["daemon"]) if request.get("daemon") else None
    while not _holds(node, request):
        if watched and watched.process.exited.done():
            raise LabError(f"{node.name}: {watched.died()}")
        if loop.time() >= deadline:
            raise LabError(f"{node.name}: {_describe(request)} within {request['deadline']:g} s")
        await asyncio.sleep(_INTERVAL)


def _describe(request: dict[str, Any]) -> str:
    if "socket" in request:
        return f"nothing accepts at {request['socket']}"
    if "line" in request:
        return f"{request['daemon']} did not log '{request['line']}'"
    return f"{request['exit']} did not end"


def _holds(node: Node, request: dict[str, Any]) -> bool:
    if "socket" in request:
        return _accepts(str(node.path(request["socket"])))
    if "line" in request:
        return any(request["line"] in line.text for line in node.daemon(request["daemon"]).lines)
    return node.daemon(request["exit"]).process.exited.done()


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
        return True
