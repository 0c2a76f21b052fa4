# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies outlive the Key Manager, however it ends: real processes, a real kernel's SPD.

docs/fail-closed.md has the table; what the wire shows is for tests/attacks.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.tkm.keymanager_files import options
from tests.unit.tkm.test_kernel import NAMESPACE, ROOT

PROGRAM = r"""
import json, os, select, signal, socket, subprocess, sys
options, actions = json.loads(sys.argv[1]), sys.argv[2:]

def run(*more):
    return subprocess.Popen([sys.executable, "-m", "tkm.daemon.main", *options, *more],
                            stderr=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": "@r"})

def policies():
    shown = subprocess.run(["ip", "xfrm", "policy"], capture_output=True, text=True, check=True)
    default = subprocess.run(["ip", "xfrm", "policy", "getdefault"], capture_output=True, text=True)
    return [shown.stdout.count("tmpl"), default.stdout.count("block")]

ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ready.bind("\0r")
ready.settimeout(30)
seen = []
for action in actions:
    what, *more = action.split()
    if what == "once":
        seen.append(run(*more).wait(30))
    elif what == "start":
        process = run(*more)
        while ready.recv(100) != b"READY=1":
            pass
        seen.append(policies())
    else:
        process.send_signal(int(what))
        seen.append(process.wait(30))
    seen.append(policies())
print(json.dumps(seen))
"""
STANDING, NONE = [3, 0], [0, 0]


def play(folder: Path, *actions: str) -> list[object]:
    """Exit codes, and the SPD: how many templates, how many directions are blocked by default."""
    given = json.dumps([*options(folder), "--socket", f"{folder}/socket"])
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", PROGRAM, given, *actions],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("number", "code"), [(15, 0), (2, 0), (9, -9)], ids=["TERM", "INT", "KILL"]
)
def test_policies_outlive_every_signal_until_they_are_flushed(
    files: Path, number: int, code: int
) -> None:
    seen = play(files, "start", str(number), "start", "15", "once --flush")
    restarted = [STANDING, STANDING, 0, STANDING]
    assert seen == [STANDING, STANDING, code, STANDING, *restarted, 0, NONE]


def test_an_orderly_stop_flushes_if_asked_to_and_a_kill_does_not(files: Path) -> None:
    seen = play(files, "start --flush-on-exit", "9", "start --flush-on-exit", "15")
    assert seen == [STANDING, STANDING, -9, STANDING, STANDING, STANDING, 0, NONE]


@pytest.mark.parametrize("broken", ["key.der", "ca.der"])
def test_keys_and_cas_are_judged_behind_the_policies(files: Path, broken: str) -> None:
    (files / broken).write_bytes(b"no")
    assert play(files, "once") == [1, STANDING]


def test_a_configuration_that_cannot_be_read_changes_nothing(files: Path) -> None:
    right = (files / "tkm.conf").read_text()
    wrong = files / "wrong.conf"
    wrong.write_text(right.replace("version", "vision"))
    assert play(files, f"once -c {wrong}") == [1, NONE]
    assert play(files, "start", "15", f"once -c {wrong}")[-2:] == [1, STANDING]
