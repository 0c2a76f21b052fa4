# SPDX-License-Identifier: GPL-2.0-or-later
"""The process that opens files for a daemon in its sandbox."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, os, sys
from pathlib import Path
from tkm import sandbox
from tkm.sandbox import calls, privileges
from tkm.sandbox.reader import Reader, open_to_read

folder = Path(sys.argv[1])

def untrusting(path):
    if path.name == "suspect":
        raise ValueError("not to be trusted")
    if path.name == "end":
        os._exit(0)
    if path.name == "fork":
        os.fork()
    if path.name == "write":
        os.open(path, os.O_WRONLY | os.O_CREAT)
    return open_to_read(path)

reader = Reader(lambda path: path == folder or path.parent == folder, open_file=untrusting)
privileges.give_up(None)
print(sandbox.enter("enforce", calls.DAEMON), file=sys.stderr)

def attempt(name):
    try:
        path = folder / name
        if not name:
            return reader.names(path)
        with os.fdopen(reader.open(path), "rb") as stream:
            return stream.read().decode()
    except OSError as error:
        return [error.errno, error.strerror]

with reader:
    names = ["file", "", "none", "suspect", "fifo", "fork", "write", "../outside", "file"]
    print(json.dumps([attempt(name) for name in (*names, "end", "file")]))
"""


@pytest.fixture
def answers(tmp_path: Path) -> list[Any]:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("inside")
    (folder / "suspect").write_text("secret")
    os.mkfifo(folder / "fifo")
    (tmp_path / "outside").write_text("secret")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if "enforced" not in done.stderr:
        pytest.skip(done.stderr)
    return list(json.loads(done.stdout))


def test_it_opens_what_it_may_and_reports_the_rest(answers: list[Any]) -> None:
    file, folder, none, suspect, fifo, fork, write, outside, again, end, after = answers
    assert file == again == "inside"
    assert folder == ["fifo", "file", "suspect"]
    assert none == [2, "No such file or directory"]
    assert suspect == [0, "not to be trusted"]
    assert fifo == "", "it holds nobody up"
    assert fork == write == [1, "Operation not permitted"]
    assert outside == [0, "not a file of the configuration"]
    assert end == after == [0, "the process that opens files has ended or hangs"]
