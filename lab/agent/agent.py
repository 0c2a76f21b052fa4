# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent: PID 1 of the lab's kernel, which does what front ends ask for.

Its order of work is what makes it fast and safe. It imports what daemons need, once; forks every
node from its warm self before a secret has passed through it; only then takes files for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

from lab.agent import (
    connect,
    dispatch,
    execute,
    guest,
    impair,
    links,
    node,
    programs,
    wait,
    watch,
)
from lab.agent.capture import Capture
from lab.agent.dispatch import Answer, Request
from lab.agent.journal import Journal
from lab.agent.line import AgentChannel, Line
from lab.agent.nodes import Node
from lab.errors import LabError, UsageError
from lab.kernel import process

_BEAT = 1.0
"""Seconds."""


def serve(stream: int, plan: dict[str, Any]) -> None:
    """Be the agent until the keeper is gone."""
    os.environ.clear()
    os.environ.update(
        PATH=f"{plan['bin']}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME="/root",
        LANG="C.UTF-8",
        TERM="linux",
        STRONGSWAN_CONF="/etc/tkm/strongswan.conf",  # a host's own; its tools read that, too
        TKM_KEYS_ARE_WORTHLESS="yes",  # see tkm.daemon.expose, which does nothing by itself
    )
    os.chdir("/")
    agent = Agent(plan)
    line = Line(stream, agent.serve)
    line.send({"event": "running", "uptime": _uptime()})
    began = time.monotonic()
    agent.broken = programs.warm(plan["programs"])
    line.send({"event": "ready", "warming": time.monotonic() - began})
    asyncio.run(agent.run(line))


def _uptime() -> float:
    """Seconds since the kernel started: of a guest, its age."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Agent:
    """What the lab consists of, and the requests that change or show it."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.broken: dict[str, str] = {}
        self._plan = plan
        self._wire = links.Wire()
        self._disturbances = impair.Disturbances(self._wire)
        self._nodes: dict[str, Node] = {}
        self._about: dict[str, Any] = {}
        self._journal = Journal()
        self._built = False
        self._requests: dict[str, dispatch.Action] = {
            "create": self._create,
            "files": self._files,
            "spawn": self._spawn,
            "run": self._run,
            "wait": self._wait,
            "logs": self._logs,
            "signal": self._signal,
            "stop": self._stop,
            "capture": self._fetch,
            "associations": self._associations,
            "dial": self._dial,
            "disturb": self._disturb,
            "inject": self._inject,
            "status": self._status,
        }

    async def run(self, line: Line) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, _reap)
        self._capture = Capture(self._wire.ports, self._plan["capture"])
        loop.add_reader(self._capture.socket, self._capture.read)
        _beat(loop, line)
        await line.run()

    async def serve(self, channel: AgentChannel) -> None:
        """Answer the requests of one connection, one after the other."""
        await dispatch.serve(channel, self._requests, self._plan["name"], self._memory_fault)

    def _memory_fault(self) -> str:
        """That a guest's memory was too small; empty if it was not, or if there is no guest."""
        if self._plan["kernel"] == "host":
            return ""
        return guest.memory_fault(self._plan["memory"])

    def _node(self, request: Request) -> Node:
        name = request["node"]
        if name not in self._nodes:
            known = ", ".join(self._nodes) or "none"
            raise UsageError(f"no node {name} in this lab; there is: {known}")
        return self._nodes[name]

    async def _create(self, _: AgentChannel, request: Request, __: bytes) -> Answer:
        if self._built:
            raise UsageError("the nodes of a lab are created once, before any secret is in it")
        self._built = True
        self._about = request["about"]
        specs = request["nodes"]
        if self._plan["kernel"] != "host" and any(spec["nat"] for spec in specs):
            guest.load_modules(guest.NAT_MODULES, guest.module_folder(self._plan))
        self._wire.build(request["links"], specs)
        for spec in specs:
            pid, control = node.fork(spec["name"], self._plan["needs"], links.node_sysctls(spec))
            control.setblocking(False)
            self._nodes[spec["name"]] = Node(spec, pid, control, self._journal, self._plan["name"])
        for one in self._nodes.values():
            await one.up()
        self._wire.plug({one.name: one.pid for one in self._nodes.values()})
        for one in self._nodes.values():
            await self._configure(one)
        return {}, b""

    async def _configure(self, one: Node) -> None:
        commands = links.node_commands(one.spec)
        given = "\n".join(commands) + "\n"
        code, output = await one.in_time(execute.collect(one, links.node_command(one.spec), given))
        if code:
            raise LabError(f"{one.name}: {links.explain(commands, output)}")
        if one.spec["nat"]:
            code, output = await one.in_time(
                execute.collect(one, [links.NAT], links.nat_rules(one.spec["nat"]))
            )
            if code:
                raise LabError(f"{one.name}: {links.NAT}: {' '.join(output.split())}")

    async def _files(self, _: AgentChannel, request: Request, octets: bytes) -> Answer:
        """Write files straight into the node: its init, which daemons fork from, sees none."""
        self._built = True
        one = self._node(request)
        start = 0
        for path, mode, length in request["files"]:
            place = one.path(path)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                _write(str(place), octets[start : start + length], mode)
            except OSError as trouble:
                raise LabError(f"{one.name}: cannot write {path}: {trouble.strerror}") from trouble
            start += length
        return {}, b""

    async def _spawn(self, _: AgentChannel, request: Request, __: bytes) -> Answer:
        one, argv = self._node(request), request["argv"]
        daemon = await one.start_daemon(request["name"], argv, self._program(argv))
        return {"pid": daemon.process.pid}, b""

    def _program(self, argv: Sequence[str]) -> str | None:
        """The warm program that a command names; None: it is to be executed.

        Raises:
            LabError: the program could not be loaded.
        """
        if argv[0] in self.broken:
            raise LabError(self.broken[argv[0]])
        warm: Mapping[str, str] = self._plan["programs"]
        return warm.get(argv[0])

    async def _run(self, channel: AgentChannel, request: Request, _: bytes) -> Answer:
        program = self._program(request["argv"])
        return {"code": await execute.run(channel, self._node(request), request, program)}, b""

    async def _wait(self, _: AgentChannel, request: Request, __: bytes) -> Answer:
        await wait.wait(self._node(request), request)
        return {}, b""

    async def _logs(self, channel: AgentChannel, request: Request, __: bytes) -> Answer:
        nodes = [self._node(request)] if request["node"] else list(self._nodes.values())
        if request["follow"]:
            await watch.logs(channel, self._journal, nodes, request)
        return watch.lines(nodes, request["daemon"], request["since"]), b""

    async def _signal(self, _: AgentChannel, request: Request, __: bytes) -> Answer:
        self._node(request).daemon(request["daemon"]).process.signal(request["signal"])
        return {}, b""

    async def _stop(self, _: AgentChannel, request: Request, __: bytes) -> Answer:
        return {"code": await self._node(request).daemon(request["daemon"]).process.stop()}, b""

    async def _fetch(self, channel: AgentChannel, request: Request, __: bytes) -> Answer:
        link = request["link"]
        if link and link not in self._wire.links:
            known = ", ".join(self._wire.links) or "none"
            raise UsageError(f"no link {link} in this lab; there is: {known}")
        if request["follow"]:
            await watch.frames(channel, self._capture, request)
        return self._capture.fetch(link, request["since"])

    async def _associations(self, _: AgentChannel, request: Request, __: bytes) -> Answer:
        recorder = self._node(request).recorder
        octets = recorder.fetch() if recorder else b""
        return {"lost": recorder.lost if recorder else 0}, octets

    async def _dial(self, channel: AgentChannel, request: Request, _: bytes) -> Answer:
        await connect.dial(channel, self._node(request), request)

    async def _disturb(self, _: AgentChannel, request: Request, __: bytes) -> Answer:
        self._disturbances.change(request)
        return {}, b""

    async def _inject(self, _: AgentChannel, request: Request, octets: bytes) -> Answer:
        impair.inject(self._wire, request, octets)
        return {}, b""

    async def _status(self, _: AgentChannel, __: Request, ___: bytes) -> Answer:
        nodes = [await self._describe(one) for one in self._nodes.values()]
        about = {"memory": process.memory(os.getpid()), "uptime": _uptime()}
        frames = self._capture.count()
        sas = sum(one.recorder.lost for one in self._nodes.values() if one.recorder)
        return {
            "agent": about,
            "about": self._about,
            "links": list(self._wire.links),
            "disturbances": self._disturbances.rows(),
            "frames": frames,
            "forgotten": {"frames": self._capture.lost(0), "SAs": sas},
            "nodes": nodes,
        }, b""

    async def _describe(self, one: Node) -> dict[str, Any]:
        memory = await one.memory()
        daemons = [
            {
                "name": daemon.name,
                "pid": daemon.process.pid,
                "started": daemon.started,
                "code": daemon.process.exited.result() if daemon.process.exited.done() else None,
                "memory": memory.get(daemon.process.job, 0),
            }
            for daemon in one.daemons.values()
        ]
        return {"spec": one.spec, "memory": memory.get(0, 0), "daemons": daemons}


def _write(path: str, octets: bytes, mode: int) -> None:
    """Write a file that at no moment has more permissions than `mode`."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode & 0o600)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, mode)
        file.write(octets)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def _beat(loop: asyncio.AbstractEventLoop, line: Line) -> None:
    """Tell the keeper that we live; a guest in which nothing runs does not see who was killed."""
    line.send({"event": "beat"})
    loop.call_later(_BEAT, _beat, loop, line)
