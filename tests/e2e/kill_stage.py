# SPDX-License-Identifier: GPL-2.0-or-later
"""The stage (`tests.e2e.sandbox`) on which commands are killed at any moment: a script.

Run as PID 1, with a `Play` as JSON. For each case a line of JSON comes, a `Result`. A case is:
begin a command, wait until the moment, kill, wait until the command has ended and the stage is as
it was before. A lab that may live on (its `up` or `down` was killed, or a part that is not needed)
is ended by `down`. Before each `down` there is an `up`, which must work, and a `check`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from lab.errors import Hangup
from lab.kernel.plan import socket_name
from lab.protocol.channel import Channel
from tests.e2e import sandbox
from tests.e2e.command import PROGRAM
from tests.e2e.kill_cases import FAILING, FRONT_END, KEEPER, KERNEL, Case

NAME = "victim"
RUNS = "tkm-lab-runs"
DEADLINE = 75.0
"""Of a command: longer than a keeper waits for its kernel. Machines are shared, guests slow."""
GONE = 20.0
"""Seconds in which all has to be gone."""
RUN = 1.6
"""How much longer a `run` takes than an `up`, about."""
PAUSE = 0.05
"""Seconds between two looks at what does not hold yet."""
ATTEMPTS = 6
FAILS = """\
title = "fails at once, and leaves a directory"
holds = "nothing: alice has no SA yet"
topology = "two-hosts"
steps = [{ expect_sas = "alice <-> bob", within = 0.1 }]
"""


class Play(NamedTuple):
    """What is to be played."""

    tree: str
    site: str
    """The folder of the packages that ours need."""
    python: str
    kernel: str
    cases: list[Case]


class Result(NamedTuple):
    """What came of a case."""

    number: int
    command: str
    victim: str
    at: float
    """Seconds after the command's beginning."""
    lived: bool
    """The lab had a right to live on, and has been ended by `down`."""
    settled: float
    """Seconds from the blow until nothing was left."""
    trouble: str = ""


class Trouble(Exception):
    """Something that must not be."""


@dataclass
class Command:
    """A front end at work."""

    line: tuple[str, ...]
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    began: float = field(default_factory=time.monotonic)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None

    def end(self) -> int:
        """Wait for its end, and return its exit code. Raises Trouble: it hangs, or is astray."""
        if not self.wait(DEADLINE):
            self.process.kill()
            raise Trouble(f"{self} hangs")
        if "Traceback" in (said := self.said()):
            raise Trouble(f"{self} ends with a traceback:\n{said}")
        return self.process.returncode

    def said(self) -> str:
        """On standard error."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def __str__(self) -> str:
        return f"tkm-lab {' '.join(self.line)}"


class Player:
    """Plays cases on the stage."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._clone = sandbox.prepare(Path(play.tree), Path(play.site))
        self._lengths = {"up": 5.0, "run": 8.0, "down": 0.5}
        self._cwd = sandbox.HOME / "cwd"
        self._cwd.mkdir()
        self._cwd.chmod(0o1777)
        (self._cwd / FAILING).write_text(FAILS)
        self._before = sandbox.look()
        self._followers: list[Command] = []
        self._lived = False

    def play(self, case: Case) -> Result:
        """Play a case to its end; what must not be is told in the result."""
        self._lived = False
        struck = time.monotonic()
        victim, at, trouble = "", 0.0, ""
        try:
            victim, at, front = self._blow(case)
            struck = time.monotonic()
            front.end()
            self._settle(case.uid, may_live=victim not in (KEEPER, KERNEL))
            for follower in self._followers:
                follower.end()
        except Trouble as what:
            trouble = str(what)
        settled = time.monotonic() - struck
        command = " ".join((case.command, *case.what))
        return Result(case.number, command, victim, at, self._lived, settled, trouble)

    def _blow(self, case: Case) -> tuple[str, float, Command]:
        """Let the command run up to its moment, and strike; again, if it was over before."""
        moment = case.moment
        for _ in range(ATTEMPTS):
            self._precede(case)
            front = self._begin(case.uid, *self._line(case))
            over = front.wait(moment * self._lengths[case.command])
            at = time.monotonic() - front.began
            if victim := self._strike(case, front):
                return victim, at, front
            if over:
                self._lengths[case.command] = at
            moment *= 0.8
            code = front.end()
            if code != (FAILING in case.what):
                raise Trouble(f"{front} ends with {code}: {front.said()}")
            self._settle(case.uid)
        raise Trouble(f"{case.command} is always over before it can be killed")

    def _line(self, case: Case) -> tuple[str, ...]:
        if case.command == "down":
            return ("down", NAME)
        name = ("--name", NAME) if case.command == "up" else ()
        return (case.command, *case.what, "--kernel", self._play.kernel, *name)

    def _precede(self, case: Case) -> None:
        """What `down` needs: a lab, and some who look at it."""
        self._followers = []
        if case.command != "down":
            return
        up = self._line(case._replace(command="up"))
        self._lengths["up"] = self._must(case.uid, *up)
        self._lengths["run"] = RUN * self._lengths["up"]
        self._must(case.uid, "check", "--lab", NAME)
        looking = (("logs", "-f"), ("capture", "-f"))
        self._followers = [self._begin(case.uid, *line, "--lab", NAME) for line in looking]

    def _begin(self, uid: int, *line: str) -> Command:
        user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
        errors = tempfile.TemporaryFile(dir="/mnt")  # noqa: SIM115
        process = subprocess.Popen(
            [*user, self._play.python, "-B", *PROGRAM, *line],
            cwd=self._cwd,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(sandbox.HOME),
                "XDG_CACHE_HOME": "/mnt",  # scapy's, who has one for each user
                "XDG_CONFIG_HOME": "/mnt",
                "PYTHONPATH": f"{self._clone}:{sandbox.SITE}",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        return Command(line, process, errors)

    def _must(self, uid: int, *line: str) -> float:
        """Run a command that has to succeed; return its seconds."""
        command = self._begin(uid, *line)
        if code := command.end():
            raise Trouble(f"{command} ends with {code}: {command.said()}")
        return time.monotonic() - command.began

    def _strike(self, case: Case, front: Command) -> str:
        """Kill the first victim that lives; return what it was, "" if nobody lives."""
        for victim in case.victims:
            pids = self._targets(victim, front)
            if pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pids[int(case.luck * len(pids))], signal.SIGKILL)
                    return victim
        return ""

    def _targets(self, victim: str, front: Command) -> list[int]:
        parents = sandbox.parents()
        if victim == FRONT_END:
            return front_ends(front, parents)
        keepers = [pid for pid in parents if "lab/kernel/__main__.py" in sandbox.describe(pid)]
        kernels = [pid for pid, parent in parents.items() if parent in keepers]
        found = {KEEPER: keepers, KERNEL: kernels}
        return found[victim] if victim in found else sandbox.descendants(kernels, parents)

    def _settle(self, uid: int, *, may_live: bool = True) -> None:
        """Wait until the stage is as it was; end a lab that may live. Raises Trouble."""
        end = time.monotonic() + GONE
        self._take_runs()
        while (now := sandbox.look()) != self._before:
            if time.monotonic() > end:
                left = {what: sorted({*now[what]} - {*self._before[what]}) for what in now}
                raise Trouble(
                    f"left behind: { {what: rest for what, rest in left.items() if rest} }"
                )
            if may_live and self._kept(uid):
                self._lived = True
                self._lengths["down"] = self._must(uid, "down", NAME)
            sandbox.reap()
            time.sleep(PAUSE)
            self._take_runs()

    def _kept(self, uid: int) -> bool:
        """Whether there is a lab that lives by itself."""
        with contextlib.suppress(OSError, Hangup), socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(GONE)
            sock.connect(socket_name(uid, NAME))
            return bool(Channel(sock).receive().body["kept"])
        return False

    def _take_runs(self) -> None:
        """Take away what failed runs have left: each directory must be whole."""
        runs = self._cwd / RUNS
        if runs.is_dir():
            halves = [str(run) for run in runs.iterdir() if not is_whole(run)]
            shutil.rmtree(runs)
            if halves:
                raise Trouble(f"half a run is left: {', '.join(halves)}")


def front_ends(front: Command, parents: dict[int, int]) -> list[int]:
    """The front end, if it lives, and those that it has forked to work beside it."""
    pid = front.process.pid
    if front.process.poll() is not None:
        return []
    line = sandbox.describe(pid)
    forked = [p for p, parent in parents.items() if parent == pid and sandbox.describe(p) == line]
    return [pid, *forked]


def is_whole(run: Path) -> bool:
    """Whether the directory of a failed run has all; hidden ones are swept by the next run."""
    return run.name.startswith(".") or (run / "result.json").is_file()


def main() -> None:
    play = Play(*json.loads(sys.argv[1]))
    cases = [Case.from_list(list(case)) for case in play.cases]
    player = Player(play)
    for case in cases:
        print(json.dumps(player.play(case)._asdict()), flush=True)


if __name__ == "__main__":
    main()
