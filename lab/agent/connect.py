# SPDX-License-Identifier: GPL-2.0-or-later
"""A front end's connection to a Unix socket in a node: octets go through as they come."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

from lab.agent.line import AgentChannel
from lab.agent.nodes import Node
from lab.errors import LabError

_CHUNK = 16384


async def dial(channel: AgentChannel, node: Node, request: dict[str, Any]) -> NoReturn:
    """Carry octets both ways until the front end hangs up, which cancels us.

    Events to the front end: `connected`, then `octets` with octets (none when the server hangs up).
    From it: `{"octets": true}` with octets.

    Raises:
        LabError: nothing accepts at the path `socket`.
    """
    path = request["socket"]
    try:
        reader, writer = await asyncio.open_unix_connection(str(node.path(path)))
    except OSError as trouble:
        raise LabError(f"{node.name}: nothing accepts at {path}: {trouble.strerror}") from trouble
    channel.send({"event": "connected"})
    pump = asyncio.ensure_future(_pump(reader, channel))
    try:
        while True:
            _, octets = await channel.receive()
            writer.write(octets)
    finally:
        pump.cancel()
        writer.close()


async def _pump(reader: asyncio.StreamReader, channel: AgentChannel) -> None:
    octets = b"more"
    while octets:
        try:
            octets = await reader.read(_CHUNK)
        except ConnectionResetError:
            octets = b""
        channel.send({"event": "octets"}, octets)
        await channel.room()
