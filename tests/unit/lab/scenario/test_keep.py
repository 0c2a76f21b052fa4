# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory of a failed run is there when it is whole, and not before."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.scenario import keep

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
