# SPDX-License-Identifier: GPL-2.0-or-later
"""What a process shows of itself in /proc."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lab.kernel import process

ROOT = Path(process.__file__).parents[2]


def ask_child(code: str) -> str:
    command = [sys.executable, "-c", code, "x" * 60]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_a_renamed_process_shows_its_new_command_line() -> None:
    code = (
        "from lab.kernel import process; from pathlib import Path\n"
        "process.rename(['tkm_keymanager', '-c', 'tkm.conf'])\n"
        "print(Path('/proc/self/cmdline').read_bytes().rstrip(b'\\0').split(b'\\0'))\n"
        "print(Path('/proc/self/comm').read_text())"
    )
    command, name = ask_child(code).split("\n", 1)
    assert command == "[b'tkm_keymanager', b'-c', b'tkm.conf']"
    assert name.strip() == "tkm_keymanager"


def test_a_name_longer_than_the_old_one_is_cut() -> None:
    code = (
        "from lab.kernel import process; from pathlib import Path\n"
        "before = len(Path('/proc/self/cmdline').read_bytes())\n"
        "process.rename(['y' * 5000])\n"
        "after = Path('/proc/self/cmdline').read_bytes()\n"
        "print(len(after) <= before, set(after.rstrip(b'\\0')) == {ord('y')})"
    )
    assert ask_child(code).split() == ["True", "True"]


def test_memory_is_some_megabytes() -> None:
    code = (
        "import os; from lab.kernel import process\n"
        "before = process.memory(os.getpid())\n"
        "ballast = b'x' * (32 << 20)\n"
        "print((process.memory(os.getpid()) - before) >> 20)"
    )
    assert 31 <= int(ask_child(code)) <= 34
