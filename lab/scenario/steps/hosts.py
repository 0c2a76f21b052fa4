# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that do something to hosts and their daemons."""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING, Any

from lab.build.backends import backend_of, running
from lab.scenario import values
from lab.scenario.errors import CouldNotRun, Failed, ScenarioError
from lab.scenario.step import Step, key, kind
from lab.scenario.values import Daemon
from lab.topology import Topology

if TYPE_CHECKING:
    from lab.build.backends.model import Daemon as Program
    from lab.scenario.stage import Stage

_DIES = 10.0
"""Seconds in which a program that got a signal must end."""
_SPANS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "year": 365 * 86400}
_SIGNALS = ("KILL", "TERM", "INT", "HUP", "STOP", "CONT")
_DEADLY = ("KILL", "TERM", "INT")


@kind
class Up(Step):
    """Build the lab; every daemon is ready when it is done. Without it, that comes first anyway."""

    up: str = key(values.one_of("all"), "what is built")

    def attempt(self, stage: Stage) -> str:
        stage.up()
        return ", ".join(stage.topology.nodes)

    def __str__(self) -> str:
        return "up"


@kind
class Exec(Step):
    """Run a command on a host, and look at what comes of it."""

    exec: tuple[str, ...] = key(values.command, "what one would type, or a list of words")
    on: str = key(values.node, "which host")
    code: int = key(values.number, "the exit code that it must have", default=0)
    says: tuple[str, ...] = key(values.texts, "what its output must contain", default=())

    def attempt(self, stage: Stage) -> str:
        done = stage.run(self.on, *self.exec)
        printed = (done.stdout + done.stderr).decode(errors="replace")
        if done.code != self.code:
            last = printed.strip().rpartition("\n")[2]
            raise Failed(f"exit code {done.code}, not {self.code}: {last}")
        for wanted in self.says:
            if not values.pattern(wanted).search(printed):
                raise Failed(f"it does not print '{wanted}'")
        return f"exit code {done.code}"

    def __str__(self) -> str:
        return f"exec {' '.join(self.exec)}, on {self.on}"


@kind
class Kill(Step):
    """Send a daemon a signal, and wait for its end, if it is one to die of."""

    kill: Daemon = key(values.daemon, "which program on which host")
    signal: str = key(values.one_of(*_SIGNALS), "which signal", default="KILL")

    def attempt(self, stage: Stage) -> str:
        name, node = self.kill
        stage.lab.signal(node, name, signal.Signals[f"SIG{self.signal}"])
        if self.signal in _DEADLY:
            stage.lab.wait_for_exit(node, name, deadline=_DIES)
        return ""


@kind
class Restart(Step):
    """Start a daemon again, after a kind end if it still lives; it is ready when that is done."""

    restart: Daemon = key(values.daemon, "which program on which host")

    def check(self, names: Topology) -> None:
        _program(names, self.restart)

    def attempt(self, stage: Stage) -> str:
        stage.set_log_aside(self.restart)
        stage.lab.stop(self.restart.node, self.restart.name)
        running.start(stage.lab, self.restart.node, _program(stage.topology, self.restart))
        return ""


def _program(names: Topology, daemon: Daemon) -> Program:
    """How a daemon is started."""
    programs = {each.name: each for each in backend_of(names.nodes[daemon.node]).daemons}
    if daemon.name not in programs:
        there = ", ".join(programs) or "none"
        raise ScenarioError(f"no {daemon.name} runs on {daemon.node}; there is: {there}")
    return programs[daemon.name]


@kind
class Reboot(Step):
    """As if the power had failed: all daemons die, the kernel forgets, all daemons start again."""

    reboot: str = key(values.node, "which host")

    def attempt(self, stage: Stage) -> str:
        backend = backend_of(stage.topology.nodes[self.reboot])
        for daemon in backend.daemons:
            stage.set_log_aside(Daemon(daemon.name, self.reboot))
            stage.lab.signal(self.reboot, daemon.name, signal.SIGKILL)
            stage.lab.wait_for_exit(self.reboot, daemon.name, deadline=_DIES)
        for table in ("state", "policy"):
            stage.must(self.reboot, "ip", "xfrm", table, "flush")
        running.start_all(stage.lab, {self.reboot: backend})
        return ""


def shift(value: Any, _: Topology) -> float:
    """How far off, such as "2 years ahead" or "1 day behind", or "right"."""
    if value == "right":
        return 0.0
    form = rf"(\d+) ({'|'.join(_SPANS)})s? (ahead|behind)"
    found = re.fullmatch(form, value) if isinstance(value, str) else None
    if not found:
        raise ScenarioError(f'\'{value}\' is not a shift: write "2 years ahead", or "right"')
    seconds = int(found[1]) * _SPANS[found[2]]
    return float(seconds if found[3] == "ahead" else -seconds)


@kind
class Clock(Step):
    """Set the clock of all hosts, as far off from this machine's as it says.

    Only a lab in a guest (User-Mode Linux, QEMU) has a clock of its own.
    """

    clock: float = key(shift, "how far off")

    def attempt(self, stage: Stage) -> str:
        if stage.lab.summary().kernel == "host":
            raise CouldNotRun("only a guest has its own clock: run it with --kernel uml or qemu")
        node = next(iter(stage.topology.nodes))
        stage.must(node, "date", "-s", f"@{time.time() + self.clock:.3f}")
        return ""

    def __str__(self) -> str:
        days, way = divmod(abs(self.clock), 86400)[0], "ahead" if self.clock > 0 else "behind"
        return f"clock {days:g} days {way}" if self.clock else "clock right"
