# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs in the network namespace of a process, and its SPD."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.processes import ROOT
from tests.unit.tkm.keymanager_files import options


class Namespace:
    """The network namespace of a process."""

    def __init__(self, pid: int) -> None:
        self.enter = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        if os.getuid():
            self.enter += [f"--user=/proc/{pid}/ns/user", "--preserve-credentials"]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.enter, *command], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    @property
    def policies(self) -> list[str]:
        """As ip(8) lists them, without those of sockets."""
        done = self.run("ip", "xfrm", "policy", "list")
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if not line.startswith("\tsocket")]

    def second_manager(self, folder: Path, path: str) -> tuple[int, str]:
        """Exit code and last line of a Key Manager that is to serve ``path``."""
        program = (sys.executable, "-m", "tkm.daemon.main")
        done = self.run(*program, *options(folder), "--socket", path)
        return done.returncode, done.stderr.splitlines()[-1]
