# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory that a failed run leaves: logs, captures, states and configurations.

    tkm-lab-runs/host2host-initiator-20261121-193042/
        run.html  result.json  wire.pcap  alice/tkm_keymanager.log  alice/etc-tkm/…

ESP keys are in it, or nobody could read the captures; they died with the lab. Private keys are not.
It has that name once it is whole. What a run that was killed had begun to write is hidden, and the
next that writes one takes it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import shutil
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lab.build.files import FOLDER
from lab.client.status import CaptureFile
from lab.errors import LabError, UsageError
from lab.observe.report.record import record
from lab.observe.report.run import Expectation
from lab.observe.report.write import write_page
from lab.scenario.engine import Done
from lab.scenario.outcomes import Result, to_json
from lab.scenario.stage import Stage

_BEGUN = ".tkm-lab-run-"
"""How the names of directories begin that are not whole."""
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "xfrm-state.txt": ("ip", "-s", "xfrm", "state"),
    "xfrm-policy.txt": ("ip", "-s", "xfrm", "policy"),
    "xfrm-stat.txt": ("cat", "/proc/net/xfrm_stat"),
    "addresses.txt": ("ip", "address"),
    "routes.txt": ("ip", "route"),
}


class Draft:
    """A directory that is being written, at `path`, locked for as long as its run lives.

    `whole` is what it will be called.
    """

    def __init__(self, path: Path, whole: Path, lock: int) -> None:
        self.path = path
        self.whole = whole
        self._lock = lock

    def finish(self) -> None:
        """Give it its name."""
        self.path.rename(self.whole)
        os.close(self._lock)


def check(parent: Path, option: str = "--keep") -> None:
    """Find out before a run, which takes minutes, whether it could leave files in a directory.

    Nothing of the attempt stays.

    Raises:
        UsageError: it could not.
    """
    missing: list[Path] = []
    try:
        missing += [folder for folder in (parent, *parent.parents) if not folder.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(prefix=_BEGUN, dir=parent).cleanup()
    except OSError as trouble:
        raise UsageError(f"{parent}: {trouble.strerror}: say where with {option} DIR") from trouble
    finally:
        for folder in missing:  # the innermost first
            with contextlib.suppress(OSError):
                folder.rmdir()


def begin(parent: Path, name: str) -> Draft:
    """A new directory for a run. Raises LabError: there is no place for one."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    _sweep(parent)
    for number in range(100):
        whole = parent / (f"{name}-{stamp}" + (f"-{number}" if number else ""))
        draft = whole.with_name(_BEGUN + whole.name)
        if whole.exists():
            continue
        try:
            draft.mkdir(parents=True, mode=0o700)
        except FileExistsError:
            continue
        except OSError as trouble:
            raise LabError(f"{whole}: {trouble.strerror}: say where with --keep DIR") from trouble
        if (lock := _lock(draft)) is not None:
            return Draft(draft, whole, lock)
    raise LabError(f"{parent} is full of runs: say where with --keep DIR")


def _sweep(parent: Path) -> None:
    """Take away what nobody goes on writing."""
    for draft in parent.glob(f"{_BEGUN}*"):
        if (lock := _lock(draft)) is not None:
            shutil.rmtree(draft, ignore_errors=True)
            os.close(lock)


def _lock(draft: Path) -> int | None:
    """Lock a directory; None: somebody else has, or it is gone. The kernel unlocks for the dead."""
    try:
        lock = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def save(stage: Stage, place: Path) -> None:
    """Write down all that is to be seen of a lab; what cannot be had any more is passed over."""
    if not stage.is_up:
        return
    for link in stage.topology.links:
        with contextlib.suppress(LabError):
            _save_capture(stage.lab.capture(link), place / f"{link}.pcap")
    for node in stage.topology.nodes:
        (place / node).mkdir()
        try:
            _save_node(stage, node, place / node)
        except LabError as trouble:
            (place / node / "missing.txt").write_text(f"{trouble}\n")


def save_page(stage: Stage, steps: Iterable[Done], file: Path) -> None:
    """Write the page of a run; none if its lab never was up.

    Raises LabError: the lab is dead, or the file cannot be written.
    """
    if not stage.is_up:
        return
    run = record(stage.lab)
    lines = {line.number: line for node in run.hosts for line in stage.all_logs(node)}
    expectations = tuple(
        Expectation(str(done.step), str(done.state), done.seconds, done.words) for done in steps
    )
    logs = tuple(lines[number] for number in sorted(lines))
    write_page(replace(run, logs=logs, expectations=expectations), file)


def _save_capture(captured: CaptureFile, file: Path) -> None:
    """Write a capture, and beside it whether frames are missing: the format has no place for it."""
    file.write_bytes(captured.pcap)
    if captured.lost:
        file.with_suffix(".incomplete.txt").write_text(f"{captured.lost} frames are missing\n")


def save_result(result: Result, place: Path) -> None:
    """Write down what came of it."""
    (place / "result.json").write_text(json.dumps(to_json([result]), indent=2) + "\n")


def _save_node(stage: Stage, node: str, place: Path) -> None:
    logs: dict[str, list[str]] = defaultdict(list)
    for line in stage.all_logs(node):
        logs[line.daemon].append(line.text)
    for daemon, lines in logs.items():
        (place / f"{daemon.replace(' ', '-')}.log").write_text("\n".join(lines) + "\n")
    for name, command in _COMMANDS.items():
        (place / name).write_bytes(stage.run(node, *command).stdout)
    _save_configuration(stage, node, place / "etc-tkm")


def _save_configuration(stage: Stage, node: str, place: Path) -> None:
    """The files of /etc/tkm, but for private keys."""
    hidden = [f"--exclude={name}" for name in ("key.der", "private")]
    packed = stage.run(node, "tar", "-C", FOLDER, *hidden, "-cf", "-", ".").stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            name = PurePosixPath(member.name)
            if content and ".." not in name.parts and not name.is_absolute():
                file = place / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content.read())
