# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever dies, and whenever: of a lab nothing is left."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
STEPS = ("keeper", "kernel", "running", "ready", "nodes")
FRONT_END, KEEPER, GUEST, AGENT = "front", "keeper", "kernel", "agent"
NOBODY = 54321
FRESH = ("--pid", "--fork", "--mount", "--mount-proc", "--net", "--kill-child")


def python_for(uid: int) -> str:
    """An interpreter that this user may run: ours can be in root's home, or a link from there."""
    if uid == os.geteuid():
        return sys.executable
    python = Path(sys.executable).resolve()
    usable = all(folder.stat().st_mode & 0o001 for folder in python.parents)
    return str(python) if usable else "/usr/bin/python3"


def play(uid: int, kernel: str, step: str, *blows: tuple[str, int]) -> None:
    """Let the stage play one case and compare what is on it before and after."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    fresh = ["unshare", *user, *FRESH]
    stage = [sys.executable, "-B", str(Path(__file__).with_name("sandbox.py"))]
    case = [str(TREE), python_for(uid), str(uid), kernel, step]
    signals = [f"{victim}={int(number)}" for victim, number in blows]
    result = subprocess.run(
        [*fresh, *stage, *case, *signals], capture_output=True, text=True, timeout=150, check=False
    )
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert seen["after"] == seen["before"]


ON_THE_HOST = [
    ("host", step, victim)
    for step, victim in itertools.product(STEPS, (FRONT_END, KEEPER, GUEST))
    if (step, victim) != ("keeper", GUEST)  # there is none yet
]
IN_A_GUEST = [
    *(("uml", step, FRONT_END) for step in ("kernel", "running", "nodes")),
    *(("uml", step, KEEPER) for step in ("kernel", "nodes")),
    *(("uml", step, GUEST) for step in ("running", "nodes")),
]
"""What is the same on the host is left out: before there is a guest, and between its steps."""


@pytest.mark.parametrize(("kernel", "step", "victim"), ON_THE_HOST + IN_A_GUEST)
def test_killed_while_it_is_built(kernel: str, step: str, victim: str) -> None:
    play(os.geteuid(), kernel, step, (victim, signal.SIGKILL))


@pytest.mark.parametrize("kernel", ["host", "uml"])
@pytest.mark.parametrize("victim", [KEEPER, GUEST])
def test_killed_when_it_is_up(kernel: str, victim: str) -> None:
    play(os.geteuid(), kernel, "kept", (victim, signal.SIGKILL))


@pytest.mark.parametrize("step", ["nodes", "kept"])
def test_a_guest_whose_agent_is_killed(step: str) -> None:
    """It panics; and then, PID 1 of a namespace, it can't even abort."""
    play(os.geteuid(), "uml", step, (AGENT, signal.SIGKILL))


@pytest.mark.parametrize(
    ("kernel", "step"), [("host", "nodes"), ("uml", "kernel"), ("uml", "nodes")]
)
def test_interrupted_by_ctrl_c(kernel: str, step: str) -> None:
    play(os.geteuid(), kernel, step, (FRONT_END, signal.SIGINT))


@pytest.mark.parametrize("kernel", ["host", "uml"])
@pytest.mark.parametrize(("step", "victim"), [("running", FRONT_END), ("nodes", KEEPER)])
def test_killed_as_an_ordinary_user(kernel: str, step: str, victim: str) -> None:
    uid = os.geteuid() or NOBODY
    play(uid, kernel, step, (victim, signal.SIGKILL))


def test_qemu_dies_with_its_keeper() -> None:
    """Its PID 1 hangs, so only the death signal ends it. As an ordinary user, who has no KVM."""
    blows = ((GUEST, signal.SIGSTOP), (KEEPER, signal.SIGKILL))
    play(os.geteuid() or NOBODY, "qemu", "nodes", *blows)


@pytest.mark.parametrize("kernel", ["host", "uml"])
def test_a_kernel_that_hangs_dies_with_its_keeper(kernel: str) -> None:
    blows = ((GUEST, signal.SIGSTOP), (KEEPER, signal.SIGKILL))
    play(os.geteuid(), kernel, "nodes", *blows)
