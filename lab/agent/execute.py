# SPDX-License-Identifier: GPL-2.0-or-later
"""Running a command in a node for a front end: its input, its output, its terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Sequence
from typing import Any

from lab.agent.line import AgentChannel
from lab.agent.nodes import Node, Process
from lab.errors import UsageError
from lab.protocol.channel import error

_CHUNK = 16384


async def run(
    channel: AgentChannel, node: Node, request: dict[str, Any], program: str | None
) -> int:
    """Run `argv`, or the warm program for it, and return its exit code.

    It is killed if the front end hangs up.

    Events to the front end: `stdout`, `stderr` with octets, `taken` for each `stdin`.
    From it: `{"stdin": true}` with octets (none at the end), `{"size": [rows, columns]}`,
    `{"signal": number}`.
    """
    run_it = _on_terminal if request.get("tty") else _on_pipes
    return await run_it(channel, node, request, program)


async def _on_pipes(
    channel: AgentChannel, node: Node, request: dict[str, Any], program: str | None
) -> int:
    theirs, ours = zip(*(os.pipe() if n == 0 else os.pipe()[::-1] for n in range(3)), strict=True)
    try:
        process = await node.spawn(
            request["argv"], theirs, program, environment=request.get("environment")
        )
    except BaseException:
        _close(ours)
        raise
    finally:
        _close(theirs)
    outputs = {ours[1]: "stdout", ours[2]: "stderr"}
    return await _attend(channel, process, ours[0], outputs)


async def _on_terminal(
    channel: AgentChannel, node: Node, request: dict[str, Any], program: str | None
) -> int:
    master, slave = os.openpty()
    _resize(master, request["tty"])
    try:
        ends = (slave, slave, slave)
        process = await node.spawn(
            request["argv"],
            ends,
            program,
            tty=os.ttyname(slave),
            environment=request.get("environment"),
        )
    except BaseException:
        os.close(master)
        raise
    finally:
        os.close(slave)
    return await _attend(channel, process, master, {master: "stdout"})


async def _attend(
    channel: AgentChannel, process: Process, source: int, outputs: dict[int, str]
) -> int:
    """Carry input and output until the process has ended, then what is left of its output."""
    for fd in {source, *outputs}:
        os.set_blocking(fd, False)
    pumps = [asyncio.ensure_future(_pump(channel, fd, kind)) for fd, kind in outputs.items()]
    listener = asyncio.ensure_future(_listen(channel, process, source))
    try:
        code = await asyncio.shield(process.exited)
        await _stop([listener, *pumps])
        for fd, kind in outputs.items():
            await _drain(channel, fd, kind)
        return code
    finally:
        process.signal(signal.SIGKILL)
        await _stop([listener, *pumps])
        _close({source, *outputs})


async def collect(node: Node, argv: Sequence[str], given: str) -> tuple[int, str]:
    """Run a command of our own: a little input, a little output; return its code and output."""
    source, feed = os.pipe()
    output, theirs = os.pipe()
    os.write(feed, given.encode())
    os.close(feed)
    try:
        process = await node.spawn(argv, (source, theirs, theirs))
    finally:
        _close((source, theirs))
    try:
        code = await process.exited
        os.set_blocking(output, False)
        with contextlib.suppress(BlockingIOError):
            return code, os.read(output, 65536).decode(errors="replace")
        return code, ""
    finally:
        os.close(output)


async def _stop(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(channel: AgentChannel, fd: int, kind: str) -> None:
    """Pass on output until the pipe ends."""
    while await _drain(channel, fd, kind):
        await _ready(fd, write=False)


async def _drain(channel: AgentChannel, fd: int, kind: str) -> bool:
    """Pass on the output that is there; return whether more may come.

    After a process has ended, that is all: a child that it left behind may hold the pipe open.
    """
    while True:
        try:
            octets = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:  # a terminal that nobody holds any more
            return False
        if not octets:
            return False
        channel.send({"event": kind}, octets)
        await channel.room()


async def _listen(channel: AgentChannel, process: Process, source: int) -> None:
    while True:
        body, octets = await channel.receive()
        if "do" in body:
            channel.send(error(UsageError("a request must wait until the one before has ended")))
        elif "signal" in body:
            process.signal(body["signal"])
        elif "size" in body:
            _resize(source, body["size"])
        elif "stdin" in body:
            await _feed(source, octets)
            channel.send({"event": "taken"})


async def _feed(source: int, octets: bytes) -> None:
    if not octets:
        _end_input(source)
    while octets:
        try:
            octets = octets[os.write(source, octets) :]
        except BlockingIOError:
            await _ready(source, write=True)
        except OSError:  # the process has closed its input, or ended
            return


def _end_input(source: int) -> None:
    """Close a pipe, its number kept taken; tell a terminal."""
    if os.isatty(source):
        with contextlib.suppress(OSError):
            os.write(source, b"\x04")
    else:
        nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nothing, source, inheritable=False)
        os.close(nothing)


async def _ready(fd: int, write: bool) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    watch, forget = (
        (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
    )
    watch(fd, _settle, ready)
    try:
        await ready
    finally:
        forget(fd)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _resize(fd: int, size: Sequence[int]) -> None:
    rows, columns = size
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _close(fds: Any) -> None:
    for fd in fds:
        os.close(fd)
