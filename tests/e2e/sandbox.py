# SPDX-License-Identifier: GPL-2.0-or-later
"""A stage on which whatever a lab leaves behind is seen.

A script for test_containment, and what `tests.e2e.kill_stage` is furnished with.

Run as PID 1 of fresh PID, mount and network namespaces, so that every process but a lab's is its
own, every Unix socket too; /dev/shm and the home folder are empty, and /tmp and /run are overlays,
whose upper layers show each file that is written there. On it a front end builds a lab; at a given
step processes get signals; after it the stage must be as it was.

    sandbox.py TREE PYTHON UID KERNEL STEP VICTIM=SIGNAL…
"""

from __future__ import annotations

import compileall
import contextlib
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
PACKAGES = ("lab", "tkm", "tkm_cfgtool", "xfrm_proxy", "ike", "scenarios")
HOME = Path("/mnt/home")
CACHE = Path("/mnt/cache")
SITE = Path("/mnt/site")
WATCHED = (Path("/mnt/upper"), HOME, Path("/dev/shm"))
FRONT_END = """
import signal, sys
from lab.client.lab import Interface, Lab, Node
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


def prepare(tree: Path, site: Path | None = None) -> Path:
    """Furnish the stage; return a copy of our packages, which is in /tmp.

    `site` is the folder of the packages that ours need: then anybody can read them at `SITE`.
    """
    subprocess.run(["mount", "-t", "tmpfs", "stage", "/mnt"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "stage", "/dev/shm"], check=True)
    HOME.mkdir()
    HOME.chmod(0o1777)
    for place, mode in (("/tmp", 0o1777), ("/run", 0o755)):
        _make_overlay(place, mode)
    _bind_kernels(tree)
    clone = Path(tempfile.mkdtemp(prefix="a clone ", dir="/tmp"))
    clone.chmod(0o755)
    for package in PACKAGES:
        subprocess.run(["cp", "-r", str(tree / package), str(clone)], check=True)
    compileall.compile_dir(clone, quiet=2)
    if site is not None:
        SITE.mkdir()
        subprocess.run(["mount", "--bind", str(site), str(SITE)], check=True)
    return clone


def _bind_kernels(tree: Path) -> None:
    """The kernels for QEMU in a cache that an ordinary user can read."""
    sys.path.insert(0, str(tree))
    from lab.kernel import image

    if (kernels := image.cache() / "kernel").is_dir():
        place = CACHE / "tkm-lab/kernel"
        place.mkdir(parents=True)
        subprocess.run(["mount", "--bind", str(kernels), str(place)], check=True)


def _make_overlay(place: str, mode: int) -> None:
    layers = {name: Path("/mnt", name + place) for name in ("upper", "work")}
    for layer in layers.values():
        layer.mkdir(parents=True)
        layer.chmod(mode)
    options = f"lowerdir={place},upperdir={layers['upper']},workdir={layers['work']}"
    subprocess.run(["mount", "-t", "overlay", "stage", "-o", options, place], check=True)


def look(front_end: int = 0) -> dict[str, list[str]]:
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
            for folder in WATCHED
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
                hit = agent_in(pids["kernel"]) if victim == "agent" else pids[victim]
                os.kill(hit, int(number))
            return
    sys.exit(f"the front end ended before {step}: {front_end.stderr and front_end.stderr.read()}")


def main() -> None:
    tree, python, uid, kernel, step, *blows = sys.argv[1:]
    clone = prepare(Path(tree))
    ordinary = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    user = ordinary if int(uid) else []
    before = look()
    front_end = subprocess.Popen(
        [*user, python, "-B", "-c", FRONT_END, kernel, step],
        cwd=clone,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(HOME),
            "XDG_CACHE_HOME": str(CACHE),
            "PYTHONPATH": str(clone),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    play(front_end, step, blows)
    deadline = time.monotonic() + DEADLINE
    while (after := look(front_end.pid)) != before and time.monotonic() < deadline:
        reap(front_end.pid)
    front_end.send_signal(signal.SIGKILL)
    print(json.dumps({"before": before, "after": after}))


def agent_in(init: int) -> int:
    """Which process runs PID 1 of the guest: the first that the guest, init's child, traces."""
    (guest,) = (pid for pid, parent in parents().items() if parent == init)
    children = [pid for pid, parent in parents().items() if parent == guest]
    traced = f"TracerPid:\t{guest}\n"
    return min(pid for pid in children if traced in Path(f"/proc/{pid}/status").read_text())


def parents() -> dict[int, int]:
    """Who lives, and the parent of each."""
    found = {}
    for pid in processes():
        with contextlib.suppress(OSError):
            state, ppid = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[pid] = int(ppid)
    return found


def descendants(roots: list[int], family: dict[int, int]) -> list[int]:
    """The children of the roots, and theirs, out of `parents`."""
    found: list[int] = []
    generation = roots
    while generation := [pid for pid, parent in family.items() if parent in generation]:
        found += generation
    return found


def reap(front_end: int = 0) -> None:
    """As PID 1: bury whom the dead front end orphaned, a keeper above all."""
    for pid in processes():
        if pid not in (os.getpid(), front_end):
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


if __name__ == "__main__":
    main()
