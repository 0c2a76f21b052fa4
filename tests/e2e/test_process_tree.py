# SPDX-License-Identifier: GPL-2.0-or-later
"""Containment without namespaces: whatever is killed, no process and no file of a lab is left."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.kernel import tracees, uml
from tests.e2e import docker_like

TKM_LAB = str(Path(sys.executable).with_name("tkm-lab"))
_DEADLINE = 20_000
"""Milliseconds."""
_BUSY = "echo busy; while :; do :; done"
"""A process that makes no system call, so that nothing of it fails when it is let go."""


def _descendants(root: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == root:
            yield int(entry.name)
            yield from _descendants(int(entry.name))


def _all_end(descriptors: list[int]) -> bool:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    waiting = set(descriptors)
    while waiting:
        ended = poll.poll(_DEADLINE)
        if not ended:
            return False
        for descriptor, _ in ended:
            poll.unregister(descriptor)
            waiting.discard(descriptor)
    return True


def name_of(worker_id: str) -> str:
    return f"tree-{worker_id}"


@pytest.fixture
def lab(worker_id: str) -> Iterator[dict[str, int]]:
    """A lab without namespaces: the PIDs of its keeper and its holder."""
    name = name_of(worker_id)
    folder = Path(tempfile.gettempdir())
    before = set(folder.glob(f"tkm-lab-{os.getuid()}-*"))
    contained = [sys.executable, docker_like.__file__, TKM_LAB]
    subprocess.run([*contained, "up", "two-hosts", "--name", name], check=True)
    try:
        assert set(folder.glob(f"tkm-lab-{os.getuid()}-*")) <= before, (
            "a lab that is up has no file"
        )
        command = [TKM_LAB, "status", "--lab", name, "--json"]
        shown = subprocess.run(command, capture_output=True, check=True).stdout
        summary = json.loads(shown)["summary"]
        yield {"keeper": summary["keeper"], "holder": summary["guest"]}
    finally:
        subprocess.run([TKM_LAB, "down", name], check=False)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("victim", ["keeper", "holder", "guest"])
def test_killed_nothing_is_left(lab: dict[str, int], victim: str) -> None:
    below = list(_descendants(lab["keeper"]))
    assert len(below) > 10, "the processes of the guest are processes of this host"
    descriptors = [os.pidfd_open(pid) for pid in below]
    (guest,) = [pid for pid in below if _parent(pid) == lab["holder"]]
    os.kill({**lab, "guest": guest}[victim], signal.SIGKILL)
    assert _all_end(descriptors)


def _tracer(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("TracerPid:")[2].split()[0])


def test_no_guest_process_goes_on_alone(lab: dict[str, int], worker_id: str) -> None:
    """Keeper and holder are killed at once. A traced process that went on would call this host."""
    busy = [TKM_LAB, "exec", "--lab", name_of(worker_id), "alice", "--", "sh", "-c", _BUSY]
    with subprocess.Popen(busy, stdout=subprocess.PIPE) as front_end:
        assert front_end.stdout
        assert front_end.stdout.readline() == b"busy\n"
        _kill_both(lab)


def _kill_both(lab: dict[str, int]) -> None:
    below = list(_descendants(lab["keeper"]))
    (guest,) = [pid for pid in below if _parent(pid) == lab["holder"]]
    traced = [pid for pid in below if _tracer(pid) == guest]
    assert len(traced) > 8
    helpers = [pid for pid in below if pid not in traced and pid not in (guest, lab["holder"])]
    descriptors = [os.pidfd_open(pid) for pid in traced]
    idle = [os.pidfd_open(pid) for pid in helpers]
    for pid in (lab["keeper"], lab["holder"]):
        os.kill(pid, signal.SIGSTOP)
    for pid in (lab["keeper"], lab["holder"]):
        os.kill(pid, signal.SIGKILL)
    try:
        assert _all_end(descriptors)
    finally:
        for descriptor in [*descriptors, *idle]:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def test_debians_linux_uml_can_be_contained() -> None:
    linux = uml.find()
    assert linux
    image = Path(linux).read_bytes()
    contained = tracees.dying_with_tracer(image)
    assert contained is not None
    changed = [at for at, (old, new) in enumerate(zip(image, contained, strict=True)) if old != new]
    assert len(changed) == 2, "one octet of each of two options"


@pytest.mark.parametrize("copies", [0, 1, 3])
def test_another_build_is_left_alone(copies: int) -> None:
    place = bytes.fromhex("b90100000089debf15000000")
    assert tracees.dying_with_tracer(b"\x90" * 50 + place * copies) is None
