# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's end of the stream to the keeper: channels for coroutines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from lab.errors import LabError
from lab.protocol.channel import Decoder, Message, encode, error
from lab.protocol.mux import TOWARDS_KEEPER, Frame, Kind, Mux

_ENOUGH = 1 << 17
"""Octets queued on a channel that make `room` wait."""


class AgentChannel:
    """One front end's connection, seen from the agent."""

    def __init__(self, line: Line, number: int) -> None:
        self._line = line
        self._number = number
        self._decoder = Decoder()
        self._arrived: asyncio.Queue[Message] = asyncio.Queue()

    def take(self, octets: bytes) -> None:
        for message in self._decoder.feed(octets):
            self._arrived.put_nowait(message)

    async def receive(self) -> Message:
        """The next message. A hang-up cancels the task that serves the channel."""
        return await self._arrived.get()

    def send(self, body: dict[str, Any], octets: bytes = b"") -> None:
        self._line.mux.send(self._number, encode(body, octets))
        self._line.flush()

    async def room(self) -> None:
        """Wait until the front end has taken most of what was sent."""
        while self._line.mux.queued(self._number) > _ENOUGH:
            await self._line.progress()


class Line:
    """The stream, and a task for each channel that is open on it."""

    def __init__(self, fd: int, serve: Callable[[AgentChannel], Awaitable[None]]) -> None:
        self.mux = Mux(TOWARDS_KEEPER)
        self.ended = False
        self._fd = fd
        self._serve = serve
        self._channels: dict[int, tuple[AgentChannel, asyncio.Task[None]]] = {}
        self._progress: asyncio.Event | None = None
        self._writing = False
        os.set_blocking(fd, False)

    def send(self, body: dict[str, Any]) -> None:
        """Report something about the lab itself; works outside of the loop, too."""
        self.mux.send(0, encode(body))
        self.flush()

    async def run(self) -> None:
        """Serve channels until the stream ends."""
        loop = asyncio.get_running_loop()
        end = loop.create_future()
        loop.add_reader(self._fd, self._read, end)
        self.flush()
        await end

    async def progress(self) -> None:
        """Wait until anything has moved on the stream."""
        if self._progress is None:
            self._progress = asyncio.Event()
        await self._progress.wait()

    def flush(self) -> None:
        """Write what can be written now, and see to the rest later."""
        try:
            while self.mux.output:
                sent = os.write(self._fd, self.mux.output)
                del self.mux.output[:sent]
        except BlockingIOError:
            pass
        if bool(self.mux.output) is not self._writing:
            self._writing = not self._writing
            loop = asyncio.get_running_loop()
            if self._writing:
                loop.add_writer(self._fd, self.flush)
            else:
                loop.remove_writer(self._fd)

    def _read(self, end: asyncio.Future[None]) -> None:
        try:
            octets = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        except OSError:  # a serial line that hung up
            octets = b""
        if not octets and not end.done():
            end.set_result(None)
        for frame in self.mux.receive(octets):
            self._frame(frame)
        self.flush()
        if self._progress is not None:
            self._progress.set()
            self._progress = None

    def _frame(self, frame: Frame) -> None:
        number = frame.channel
        if frame.kind is Kind.OPEN:
            self.mux.accept(number)
            channel = AgentChannel(self, number)
            task = asyncio.ensure_future(self._serve(channel))
            self._channels[number] = (channel, task)
            task.add_done_callback(lambda _: self._done(number, channel))
        elif frame.kind is Kind.DATA:
            self.mux.taken(number, len(frame.octets))
            if number in self._channels:
                self._take(number, frame.octets)
        elif frame.kind is Kind.CLOSE:
            self.mux.drop(number)
            if number in self._channels:
                self._channels.pop(number)[1].cancel()

    def _take(self, number: int, octets: bytes) -> None:
        """Take octets of a channel; end one that carries no messages, whatever runs on it."""
        channel, task = self._channels[number]
        try:
            channel.take(octets)
        except LabError as trouble:
            channel.send(error(trouble))
            task.cancel()

    def _done(self, number: int, channel: AgentChannel) -> None:
        if number in self._channels and self._channels[number][0] is channel:
            del self._channels[number]
            self.mux.close(number)
            self.flush()
