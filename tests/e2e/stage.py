# SPDX-License-Identifier: GPL-2.0-or-later
"""A stage on which whatever a lab leaves behind is seen: a script for test_containment.

Run as PID 1 of fresh PID, mount and network namespaces, so that every process but a lab's is its
own, every Unix socket too; /dev/shm and the home folder are empty, and /tmp is an overlay, whose
upper layer shows each file that is written there. On it a front end builds a lab; at a given step
processes get signals; after it the stage must be as it was.

    stage.py TREE PYTHON UID KERNEL STEP VICTIM=SIGNAL…
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DEADLINE = 15.0
FRONT_END = """
import signal, sys
from lab.client import Interface, Lab, Node
def tell(step, **about):
    print(step, about.get("pid", 0), flush=True)
    if step == sys.argv[2]:
        signal.pause()
with Lab.start("stage", sys.argv[1], lambda p: tell(p.step, **p.about), esp=False) as lab:
    node = lambda n: Node(f"n{n}", (Interface("net", (f"192.0.2.{n}/24",)),))
    lab.create([node(1), node(2)])
    lab.spawn("n1", ["sleep", "1000"])
    tell("nodes")
    lab.keep()
    tell("kept")
"""


def prepare(tree: Path, uid: int) -> tuple[Path, Path]:
    """Furnish the stage; return the upper layer of /tmp, and a copy of the packages in /tmp."""
    subprocess.run(["mount", "-t", "tmpfs", "stage", "/mnt"], check=True)
    layers = {name: Path("/mnt", name) for name in ("upper", "work", "home")}
    for layer in layers.values():
        layer.mkdir()
        layer.chmod(0o1777)
    options = f"lowerdir=/tmp,upperdir={layers['upper']},workdir={layers['work']}"
    subprocess.run(["mount", "-t", "overlay", "stage", "-o", options, "/tmp"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "stage", "/dev/shm"], check=True)
    clone = Path(tempfile.mkdtemp(prefix="a clone ", dir="/tmp"))
    for package in ("lab", "tkm", "ike"):
        subprocess.run(["cp", "-r", str(tree / package), str(clone)], check=True)
    subprocess.run(["chown", "-R", str(uid), str(clone), str(layers["home"])], check=True)
    return layers["upper"], clone


def look(upper: Path, front_end: int) -> dict[str, list[str]]:
    """Everything on the stage that a lab could have left."""
    own = {os.getpid(), front_end}
    pids = [pid for pid in processes() if pid not in own]
    pids = [pid for pid in pids if not is_dead_child(pid, front_end)]
    sockets = Path("/proc/net/unix").read_text().splitlines()[1:]
    return {
        "processes": sorted(describe(pid) for pid in pids),
        "namespaces": sorted({ns for pid in [*pids, os.getpid()] for ns in namespaces(pid)}),
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "sockets": sorted(line.split()[7] for line in sockets if len(line.split()) > 7),
        "files": sorted(
            str(path)
            for folder in (upper, Path("/mnt/home"), Path("/dev/shm"))
            for path in folder.rglob("*")
            if "__pycache__" not in path.parts
        ),
    }


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def is_dead_child(pid: int, parent: int) -> bool:
    """The front end pauses, and with it the burial of its keeper."""
    try:
        state, ppid = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return True
    return state == "Z" and int(ppid) == parent


def describe(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() or str(pid)
    except OSError:
        return str(pid)


def namespaces(pid: int) -> Iterator[str]:
    for kind in ("net", "mnt", "pid", "user", "uts", "ipc"):
        try:
            yield str(Path(f"/proc/{pid}/ns/{kind}").readlink())
        except OSError:
            return


def play(front_end: subprocess.Popen[str], step: str, blows: list[str]) -> None:
    """Follow the front end to a step, then send the signals."""
    pids = {"front": front_end.pid}
    assert front_end.stdout is not None
    for line in front_end.stdout:
        done, pid = line.split()
        pids[done] = int(pid)
        if done == step:
            for blow in blows:
                victim, number = blow.split("=")
                os.kill(pids[victim], int(number))
            return
    sys.exit(f"the front end ended before {step}: {front_end.stderr and front_end.stderr.read()}")


def main() -> None:
    tree, python, uid, kernel, step, *blows = sys.argv[1:]
    upper, clone = prepare(Path(tree), int(uid))
    ordinary = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    user = ordinary if int(uid) else []
    before = look(upper, 0)
    front_end = subprocess.Popen(
        [*user, python, "-B", "-c", FRONT_END, kernel, step],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "HOME": "/mnt/home", "PYTHONPATH": str(clone)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    play(front_end, step, blows)
    deadline = time.monotonic() + DEADLINE
    while (after := look(upper, front_end.pid)) != before and time.monotonic() < deadline:
        reap(front_end.pid)
    front_end.send_signal(signal.SIGKILL)
    print(json.dumps({"before": before, "after": after}))


def reap(front_end: int) -> None:
    """As PID 1: bury whom the dead front end orphaned, a keeper above all."""
    for pid in processes():
        if pid not in (os.getpid(), front_end):
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


if __name__ == "__main__":
    main()
