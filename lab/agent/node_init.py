# SPDX-License-Identifier: GPL-2.0-or-later
"""The init of a node: a fork server.

A daemon that is one of our programs is forked from it and starts at once; it has the imports
already, and no secret is in it. The agent talks to it over a SOCK_SEQPACKET socket, one
JSON object per packet:

    to the node     {"spawn": id, "argv": [...], "program": target or null, "tty": path or null,
                     "environment": {name: value}}
                        with three descriptors beside it: standard input, output and errors
                    {"signal": number, "id": id}        {"memory": [id, ...]}
    from the node   {"up": name}, with a socket beside it (`recorder.subscribe`), if its kernel has
                        SAs, or {"down": "one line"}; once, and first
                    {"started": id, "pid": pid} or {"failed": id, "why": "one line", "errno": n}
                    {"exited": id, "code": code}        {"memory": {id: octets}}
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from lab.agent import programs
from lab.kernel import process

PACKET = 1 << 17
CONFIGURATION = "STRONGSWAN_CONF"
"""Where strongSwan's programs find their configuration: a variable of the environment."""
_PYTHON_CHANGES = (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that Python, or we, handle otherwise than a new program expects."""


class Init:
    """The fork server. Children are known by the id that the agent gave them."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._ids: dict[int, int] = {}
        self._wake, wakes = socket.socketpair()
        self._wakes = wakes
        self._wake.setblocking(False)
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Serve until the agent is gone, and the node with it."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._wake.fileno():
                    self._wake.recv(4096)
                    self._reap()
                else:
                    self._receive()

    def _receive(self) -> None:
        octets, fds, _, _ = socket.recv_fds(self._control, PACKET, 3, socket.MSG_CMSG_CLOEXEC)
        if not octets:
            os._exit(0)
        order = json.loads(octets)
        if "spawn" in order:
            self._spawn(order, fds)
        elif "signal" in order:
            self._signal(order["id"], order["signal"])
        elif "memory" in order:
            self._answer({"memory": self._memory(order["memory"])})
        for fd in fds:
            os.close(fd)

    def _answer(self, answer: dict[str, Any]) -> None:
        self._control.send(json.dumps(answer).encode())

    def _spawn(self, order: dict[str, Any], fds: list[int]) -> None:
        job = order["spawn"]
        try:
            if order["program"]:
                pid = _fork_program(order["program"], order["argv"], fds)
            else:
                pid = _execute(order["argv"], fds, order["tty"], order["environment"])
        except OSError as trouble:
            why = f"{order['argv'][0]}: {trouble.strerror}"
            self._answer({"failed": job, "why": why, "errno": trouble.errno})
            return
        except ValueError as trouble:  # an argument that no command can be given
            self._answer({"failed": job, "why": str(trouble), "errno": errno.EINVAL})
            return
        self._ids[pid] = job
        self._answer({"started": job, "pid": pid})

    def _signal(self, job: int, number: int) -> None:
        for pid, known in self._ids.items():
            if known == job:
                try:
                    os.killpg(pid, number)
                except ProcessLookupError:  # it is dying; reaping will show
                    return

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            job = self._ids.pop(pid, None)
            if job is not None:  # else an orphan of some daemon
                code = os.waitstatus_to_exitcode(status)
                self._answer({"exited": job, "code": code if code >= 0 else 128 - code})

    def _memory(self, jobs: list[int]) -> dict[int, int]:
        """Proportional set sizes, octets; job 0 is this init itself."""
        pids = {job: pid for pid, job in self._ids.items()} | {0: os.getpid()}
        return {job: process.memory(pids[job]) for job in jobs if job in pids}


def _execute(
    argv: list[str], fds: list[int], tty: str | None, environment: Mapping[str, str]
) -> int:
    """Start a command, its own session; with a tty, that is its controlling terminal."""
    actions: list[tuple[Any, ...]]
    if tty:
        actions = [(os.POSIX_SPAWN_OPEN, 0, tty, os.O_RDWR, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, 0, fd) for fd in (1, 2)]
    else:
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds)]
    return os.posix_spawnp(
        argv[0],
        argv,
        _environment(environment),
        file_actions=actions,
        setsid=True,
        setsigdef=_PYTHON_CHANGES,
        setsigmask=(),
    )


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours with `more`; without the path of a configuration that this node does not have."""
    environment = {**os.environ, **more}
    if not os.path.exists(environment.get(CONFIGURATION, "/")):  # noqa: PTH110
        del environment[CONFIGURATION]
    return environment


def _fork_program(target: str, argv: list[str], fds: list[int]) -> int:
    """Start a warm program: the same as its command, without a new interpreter."""
    pid = os.fork()
    if pid == 0:
        code: int = 1
        try:
            _prepare_program(argv, fds)
            code = programs.call(target, argv)
            atexit._run_exitfuncs()
            sys.stdout.flush()
        except BaseException:  # this is the bottom of a process: report, and end
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def _prepare_program(argv: list[str], fds: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):  # the rest is as Python starts up
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    for standard, fd in enumerate(fds):
        os.dup2(fd, standard)
    process.close_all_but(2)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    process.rename(argv)
