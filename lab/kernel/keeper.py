# SPDX-License-Identifier: GPL-2.0-or-later
"""The keeper: the one process of a lab on this host, beside the lab's kernel.

It holds the lab's name (an abstract Unix socket, which vanishes with it), starts the kernel, and
relays connections of front ends to the agent. Nothing of a lab outlives it.

The front end that builds the lab holds the other end of the "leash". Until it sends `keep` on it,
the lab ends when the leash does; in the other direction go the agent's words about its start.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from collections import deque

from lab import hint
from lab.errors import KernelError, LabError, NameInUse
from lab.kernel import diagnosis, host, process, qemu, tree, uml
from lab.kernel.place import Place
from lab.kernel.plan import LEASH, Plan, socket_name
from lab.kernel.relay import Relay
from lab.protocol.channel import VERSION, Decoder, encode, error
from lab.protocol.mux import TOWARDS_AGENT

_START_DEADLINE = {"host": 60.0, "uml": 60.0, "qemu": 180.0}
"""Seconds until the agent is ready; emulation on a busy machine takes long."""
_SILENCE = 120.0
"""Seconds after which an agent that sends nothing, not even a heartbeat, is given up."""
_TURN = 1.0
"""Seconds. If a turn takes longer, we were stopped or starved ourselves, and so was the agent."""
_FATAL = ("Kernel panic", "Out of memory: Killed process")
"""What a kernel prints when it, or a process of the lab, cannot go on; the first is the end."""
_STARTERS = {"host": host.start, "uml": uml.start, "qemu": qemu.start}


class Console:
    """The last lines that a kernel printed, to explain why it did not start."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)
        self._lines: deque[str] = deque(maxlen=4)
        self._rest = b""
        self.panic = ""
        """The line in which the kernel reported that it cannot go on."""
        self.killed = ""
        """The first line in which it reported that memory ran out and a process was killed."""

    def take(self) -> bool:
        """Take what is there to read; return whether there may come more."""
        try:
            while octets := os.read(self.read, 65536):
                *lines, self._rest = (self._rest + octets).split(b"\n")
                for line in lines:
                    self._print(line.decode(errors="replace").strip())
        except BlockingIOError:
            return True
        return False

    def _print(self, text: str) -> None:
        if text:
            self._lines.append(text)
        panic, out_of_memory = _FATAL
        if panic in text and not self.panic:
            self.panic = text
        if out_of_memory in text and not self.killed:
            self.killed = text

    def tail(self) -> str:
        self.take()
        last = self._rest.decode(errors="replace").strip()
        return " | ".join([*self._lines, last] if last else self._lines)


class Keeper:
    """The keeper's main loop: each source of events, and what to do about it."""

    def __init__(self, plan: Plan, leash: socket.socket) -> None:
        self.plan = plan
        self.leash: socket.socket | None = leash
        self.started = time.time()
        self.ready = False
        self.silence = 0.0
        self.kept = False
        self.kernel_pid = 0
        self.place: Place | None = None
        """What the guest starts from, as long as it may need it."""
        self.stopping = False
        self.console = Console()
        self.selector = selectors.DefaultSelector()
        self._words = Decoder()
        self._orders = Decoder()

    def run(self) -> int:
        """Keep the lab until it ends; return the exit code."""
        try:
            self._mind_signals()
            listener = self._listen()
            self._tell({"event": "keeper", "pid": os.getpid()})
            stream = self._start_kernel()
            self._tell({"event": "kernel", "pid": self.kernel_pid})
            self.relay = Relay(self.selector, stream, TOWARDS_AGENT, self._agent_says)
            self._watch(listener)
            self._loop()
        except LabError as trouble:
            self._tell(error(trouble))
            return 1
        except Exception as trouble:
            self._tell(error(LabError(f"defect in the lab's keeper: {trouble!r}")))
            raise
        finally:
            self._end()
        return 0

    def _mind_signals(self) -> None:
        wake, wakes = self._wakes = socket.socketpair()
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self.selector.register(wake, selectors.EVENT_READ, lambda _: self._stop())

    def _listen(self) -> socket.socket:
        listener, name = socket.socket(socket.AF_UNIX), self.plan.name
        try:
            listener.bind(socket_name(os.getuid(), name))
        except OSError as taken:
            listener.close()
            raise NameInUse(
                f"a lab named {name} is up already: {hint.command(name, 'down')}"
            ) from taken
        listener.listen()
        return listener

    def _start_kernel(self) -> socket.socket:
        stream, theirs = socket.socketpair()
        with theirs:
            started = _STARTERS[self.plan.kernel](self.plan, theirs, self.console.write)
        self.kernel_pid, self.place = started
        os.close(self.console.write)
        return stream

    def _watch(self, listener: socket.socket) -> None:
        def watch(source: int | socket.socket, action: object) -> None:
            self.selector.register(source, selectors.EVENT_READ, action)

        watch(listener, lambda _: self._accept(listener))
        watch(os.pidfd_open(self.kernel_pid), lambda _: self._kernel_died())
        watch(self.console.read, lambda _: self._console_prints())
        if self.leash:
            watch(self.leash, lambda _: self._leash_moves())

    def _loop(self) -> None:
        while not self.stopping:
            began = time.monotonic()
            for key, events in self.selector.select(_TURN):
                if key.fd in self.selector.get_map():
                    key.data(events)
            self._mind_silence(min(time.monotonic() - began, _TURN))

    def _mind_silence(self, passed: float) -> None:
        self.silence += passed
        if not self.ready and time.time() > self.started + _START_DEADLINE[self.plan.kernel]:
            raise KernelError(f"the lab's kernel did not start in time: {self.console.tail()}")
        if self.ready and self.silence > _SILENCE:
            raise KernelError(f"the lab's kernel has sent nothing for {_SILENCE:.0f} s: it hangs")

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        uid = int.from_bytes(peer[4:8], sys.byteorder)
        if uid not in (0, os.getuid()):
            connection.close()
            return
        hello = {
            "event": "hello",
            "version": VERSION,
            "name": self.plan.name,
            "kernel": self.plan.kernel,
            "keeper": os.getpid(),
            "guest": self.kernel_pid,
            "started": self.started,
            "ready": self.ready,
            "kept": self.kept,
        }
        self.relay.connect(connection, encode(hello))

    def _agent_says(self, octets: bytes) -> None:
        self.silence = 0.0
        for message in self._words.feed(octets):
            event = message.body.get("event")
            if event == "ready":
                self.ready = True
                self._remove_place()
            if event != "beat":
                self._tell(message.body)

    def _leash_moves(self) -> None:
        if self.leash is None:
            return
        octets = self.leash.recv(4096)
        for message in self._orders.feed(octets):
            if message.body.get("do") == "keep":
                self.kept = True
        if not octets:
            self.selector.unregister(self.leash)
            self.leash = None
            self.stopping = self.stopping or not self.kept

    def _tell(self, body: dict[str, object]) -> None:
        if self.leash:
            try:
                self.leash.sendall(encode(body))
            except OSError:
                self.stopping = not self.kept

    def _console_prints(self) -> None:
        if not self.console.take():
            self.selector.unregister(self.console.read)
        if self.console.panic:  # it should abort now, but who knows in what state it is
            self._kernel_died()

    def _kernel_died(self) -> None:
        """Report why, to the front end that still builds the lab."""
        tail = self.console.tail()
        printed = "; ".join(filter(None, [self.console.panic, self.console.killed])) or tail
        when = "" if self.ready else " at its start"
        if self.plan.kernel != "host":
            printed = diagnosis.explain(printed, self.plan.memory, diagnosis.look())
        if not self.ready or self.console.panic or self.console.killed:
            raise KernelError(f"the lab's kernel died{when}: {printed}")
        self.stopping = True

    def _stop(self) -> None:
        self.stopping = True

    def _remove_place(self) -> None:
        if self.place is not None:
            self.place.remove()
            self.place = None

    def _end(self) -> None:
        """Kill the lab and wait: PID 1 of its namespaces, or the holder of its process tree."""
        if self.kernel_pid and self.plan.namespaces:
            os.kill(self.kernel_pid, signal.SIGKILL)
            os.waitpid(self.kernel_pid, 0)
        elif self.kernel_pid:
            tree.kill_descendants()
        self._remove_place()


def main() -> int:
    """Keep the lab of the plan that is the only argument, as JSON."""
    os.chdir("/")
    process.close_all_but(LEASH)
    leash = socket.socket(fileno=LEASH)
    leash.set_inheritable(False)
    return Keeper(Plan.from_json(sys.argv[1]), leash).run()
