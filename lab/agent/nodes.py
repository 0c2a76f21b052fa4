# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's side of a node: its processes, its daemons and their logs."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lab import hint
from lab.agent.journal import Journal, Line
from lab.agent.node_init import PACKET
from lab.agent.recorder import Recorder
from lab.agent.ring import SLOT, Ring
from lab.errors import CannotExecute, CommandNotFound, LabError, UsageError

LOG = 2 << 20
"""Octets of memory for the lines of one daemon: some 7,500. A star of 100 has 300 daemons."""
LONGEST_LINE = 1 << 16
"""Octets after which a line is ended that the daemon does not end."""
_STOP_DEADLINE = 5.0
_DEADLINE = 60.0
"""Seconds for what takes a tenth of one."""

T = TypeVar("T")


class Process:
    """A process in a node, by the id that we gave it."""

    def __init__(self, owner: Node, job: int, pid: int) -> None:
        self._owner = owner
        self._job = job
        self.pid = pid
        """In the node's PID namespace."""
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def job(self) -> int:
        return self._job

    def signal(self, number: int) -> None:
        """Signal the process and its group, if it lives."""
        if not self.exited.done():
            self._owner.order({"signal": number, "id": self._job})

    async def stop(self) -> int:
        """End it, kindly first; return its exit code."""
        self.signal(signal.SIGTERM)
        done, _ = await asyncio.wait([self.exited], timeout=_STOP_DEADLINE)
        if not done:
            self.signal(signal.SIGKILL)
        return await self.exited


def _memory(line: Line) -> int:
    """The octets that a line takes: itself, its parts, and its slot."""
    return sys.getsizeof(line) + sum(map(sys.getsizeof, line)) + SLOT


class Daemon:
    """A process that stays, and what it has printed; `forgotten` counts lines no longer kept."""

    def __init__(self, name: str, process: Process, output: int, journal: Journal) -> None:
        self.name = name
        self.process = process
        self.started = time.time()
        self.lines = Ring[Line](LOG, _memory)
        self.forgotten = 0
        self._journal = journal
        self._output = output
        self._rest = b""
        os.set_blocking(output, False)
        asyncio.get_running_loop().add_reader(output, self.read)

    def read(self) -> None:
        """Take what it has printed."""
        while self._output >= 0:
            try:
                octets = os.read(self._output, 65536)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + octets).split(b"\n")
            if not octets:
                lines = [self._rest] if self._rest else []
                asyncio.get_running_loop().remove_reader(self._output)
                os.close(self._output)
                self._output = -1
            elif len(self._rest) >= LONGEST_LINE:
                lines, self._rest = [*lines, self._rest], b""
            for line in self._journal.enter(lines):
                self.forgotten += self.lines.keep(line)

    def died(self) -> str:
        """One line about its end, with the last line that it printed."""
        self.read()
        last = next((line.text for line in reversed(self.lines) if line.text.strip()), "no word")
        return f"{self.name} ended with exit code {self.process.exited.result()}: {last.strip()}"


class Node:
    """A node that is up."""

    def __init__(
        self, spec: Mapping[str, Any], pid: int, control: socket.socket, journal: Journal, lab: str
    ) -> None:
        """Hold a node that was forked.

        Args:
            spec: what the front end asked for.
            pid: of its init.
            control: the socket to its init.
            journal: numbers the lines of all logs.
            lab: the lab's name, for hints.
        """
        self._lab = lab
        self.spec = spec
        self.name: str = spec["name"]
        self.pid = pid
        self.daemons: dict[str, Daemon] = {}
        self._journal = journal
        self._control = control
        self._jobs = 0
        self._starting: dict[int, asyncio.Future[Process]] = {}
        self._running: dict[int, Process] = {}
        self._memory: asyncio.Future[dict[str, int]] | None = None
        self.recorder: Recorder | None = None
        """Of the SAs in its kernel, if that has any."""
        loop = asyncio.get_running_loop()
        self._up: asyncio.Future[None] = loop.create_future()
        loop.add_reader(control, self._receive)

    async def up(self) -> None:
        """Wait until its namespaces are made.

        Raises:
            LabError: they cannot be, or not in time.
        """
        await self.in_time(self._up)

    async def in_time(self, waited_for: Awaitable[T]) -> T:
        """What should come soon; of a guest that somebody has shot at, it may never.

        Raises:
            LabError: it does not.
        """
        answer = asyncio.ensure_future(waited_for)
        await asyncio.wait([answer], timeout=_DEADLINE)
        if not answer.done():  # nor is it cancelled: an answer that comes late does no harm
            raise LabError(f"node {self.name} has not answered for {_DEADLINE:.0f} s")
        return answer.result()

    def _is_up(self, fds: Sequence[int]) -> None:
        for fd in fds:
            self.recorder = Recorder(socket.socket(fileno=fd))
            asyncio.get_running_loop().add_reader(fd, self.recorder.read)
        self._up.set_result(None)

    def order(self, order: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        octets = json.dumps(order).encode()
        if len(octets) > PACKET:
            raise UsageError(f"{self.name}: the command has more than {PACKET} octets")
        try:
            socket.send_fds(self._control, [octets], fds)
        except OSError as gone:
            raise self._dead() from gone

    async def spawn(
        self,
        argv: Sequence[str],
        fds: Sequence[int],
        program: str | None = None,
        tty: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a process; `fds` are its standard input, output and errors.

        Args:
            argv: its arguments; the first is the command.
            fds: see above.
            program: the warm program to be forked; None: the command is executed.
            tty: the path of what will be its controlling terminal.
            environment: variables to add to the node's, if the command is executed.

        Raises:
            CannotExecute: it cannot be started.
            LabError: the node has died.
        """
        self._jobs += 1
        job = self._jobs
        started: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        order = {"spawn": job, "argv": argv, "program": program, "tty": tty}
        self.order(order | {"environment": dict(environment or {})}, fds)
        self._starting[job] = started
        return await started

    async def start_daemon(self, name: str, argv: Sequence[str], program: str | None) -> Daemon:
        """Start a daemon, collecting what it prints."""
        if (old := self.daemons.get(name)) and not old.process.exited.done():
            raise LabError(f"{name} runs on {self.name} already")
        output, theirs = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            process = await self.spawn(argv, (nothing, theirs, theirs), program)
        except LabError:
            os.close(output)
            raise
        finally:
            os.close(theirs)
            os.close(nothing)
        self.daemons[name] = Daemon(name, process, output, self._journal)
        return self.daemons[name]

    def daemon(self, name: str) -> Daemon:
        if name not in self.daemons:
            known = ", ".join(self.daemons) or "none"
            raise UsageError(f"no daemon {name} on {self.name}; there is: {known}")
        return self.daemons[name]

    def path(self, path: str) -> Path:
        """The path by which the agent reaches a path of the node."""
        return Path(f"/proc/{self.pid}/root") / path.lstrip("/")

    async def memory(self) -> dict[int, int]:
        """Proportional set sizes in octets by job; 0 is the node's init. None of a dead node's."""
        if self._control.fileno() < 0:
            return {}
        if self._memory is None:
            self._memory = asyncio.get_running_loop().create_future()
            self.order({"memory": [0, *self._running]})
        return {int(job): size for job, size in (await self._memory).items()}

    def _dead(self) -> LabError:
        return LabError(f"node {self.name} has died: {hint.rebuild(self._lab)}")

    def _died(self) -> None:
        """Its init is gone, and with it all that ran in it."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._control)
        self._control.close()
        if self.recorder:
            loop.remove_reader(self.recorder.socket)
            self.recorder.close()
        for process in self._running.values():
            process.exited.set_result(128 + signal.SIGKILL)
        self._running.clear()
        waiting: list[asyncio.Future[Any]] = [*self._starting.values()]
        waiting += [self._memory] if self._memory else []
        waiting += [] if self._up.done() else [self._up]
        for future in waiting:
            future.set_exception(self._dead())

    def _receive(self) -> None:
        try:
            octets, fds, _, _ = socket.recv_fds(self._control, PACKET, 1, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            octets, fds = b"", []
        if not octets:
            self._died()
            return
        answer = json.loads(octets)
        if "up" in answer:
            self._is_up(fds)
        elif "down" in answer:
            trouble = LabError(f"node {self.name} did not start: {answer['down']}")
            self._up.set_exception(trouble)
        elif "started" in answer:
            process = Process(self, answer["started"], answer["pid"])
            self._running[process.job] = process
            self._starting.pop(process.job).set_result(process)
        elif "failed" in answer:
            refusal = CommandNotFound if answer["errno"] == errno.ENOENT else CannotExecute
            trouble = refusal(f"{self.name}: {answer['why']}")
            self._starting.pop(answer["failed"]).set_exception(trouble)
        elif "exited" in answer:
            self._running.pop(answer["exited"]).exited.set_result(answer["code"])
        elif "memory" in answer and self._memory:
            self._memory.set_result(answer["memory"])
            self._memory = None
