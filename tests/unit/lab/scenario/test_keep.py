# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory of a failed run is there when it is whole, and not before."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab.client.status import CaptureFile
from lab.errors import LabError, UsageError
from lab.scenario import keep, runner
from lab.scenario.engine import Engine
from lab.scenario.stage import Stage

TREE = Path(__file__).parents[4]

KILLED = """
import os, signal, sys
from pathlib import Path
from lab.scenario import keep
draft = keep.begin(Path(sys.argv[1]), "killed")
(draft.path / "wire.pcap").write_bytes(b"half")
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_it_writes(parent: Path) -> None:
    """A run of which nothing is left but what it has begun to write."""
    command = [sys.executable, "-c", KILLED, str(parent)]
    assert subprocess.run(command, check=False, cwd=TREE).returncode == -signal.SIGKILL


def shown(parent: Path) -> list[str]:
    return [path.name for path in parent.iterdir() if not path.name.startswith(".")]


def test_it_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    draft = keep.begin(tmp_path / "runs", "one")
    assert shown(tmp_path / "runs") == []
    draft.finish()
    assert shown(tmp_path / "runs") == [draft.whole.name]


def test_what_a_killed_run_has_begun_is_swept_by_the_next(tmp_path: Path) -> None:
    killed_while_it_writes(tmp_path)
    assert shown(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 1
    keep.begin(tmp_path, "next").finish()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("next-")


def test_nothing_else_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    begun = keep.begin(tmp_path, "at work")
    keep.begin(tmp_path, "next").finish()
    begun.finish()
    assert len(list(tmp_path.iterdir())) == 3


def test_runs_of_one_second_have_directories_of_their_own(tmp_path: Path) -> None:
    for _ in range(3):
        keep.begin(tmp_path, "same").finish()
    assert len(list(tmp_path.iterdir())) == 3


def test_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="say where with --keep"):
        keep.begin(tmp_path / "file", "one")


def test_a_place_is_checked_and_left_as_it_was(tmp_path: Path) -> None:
    keep.check(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    keep.check(tmp_path / "there")
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


@pytest.mark.parametrize("place", ["file/below", "file", "/proc/none", "x" * 256, "a/" + "x" * 256])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="say where with --keep DIR"):
        keep.check(tmp_path / place)
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


def test_a_full_disk_does_not_hide_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr(keep, "save", full)
    stage, engine = cast(Stage, None), Engine([], 0)
    assert runner._keep(stage, engine, tmp_path, "one") == f"{tmp_path}: No space left on device"
    assert isinstance(runner._keep(stage, engine, tmp_path / "file", "one"), str)


@pytest.mark.parametrize("lost", [0, 7])
def test_a_capture_that_is_not_complete_has_a_note_beside_it(tmp_path: Path, lost: int) -> None:
    captured = CaptureFile(b"pcap", (), 0, lost)
    topology = SimpleNamespace(links=("wire",), nodes=())
    stage = SimpleNamespace(
        is_up=True, topology=topology, lab=SimpleNamespace(capture=lambda _: captured)
    )
    keep.save(cast(Stage, stage), tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    note = {"wire.incomplete.txt": b"7 frames are missing\n"} if lost else {}
    assert files == {"wire.pcap": b"pcap"} | note
