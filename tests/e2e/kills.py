# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of `kill -9`, played on a stage: for test_kill and bench/kill.py alike."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence

from tests.e2e.command import FRESH_NETWORK, TREE, environment
from tests.e2e.kill_cases import Case
from tests.e2e.kill_stage import Play, Result
from tests.e2e.test_containment import FRESH, NOBODY, python_for

__all__ = ["NOBODY", "on_stage", "results"]


def on_stage(cases: Sequence[Case], kernel: str) -> list[str]:
    """The command that plays them."""
    site = sysconfig.get_path("purelib")
    play = Play(str(TREE), site, python_for(NOBODY), kernel, list(cases))
    ours = ["env", f"PYTHONPATH={TREE}:{site}", sys.executable, "-B", "-m", "tests.e2e.kill_stage"]
    return [*FRESH_NETWORK, *FRESH, *ours, json.dumps(play)]


def results(command: Sequence[str]) -> Iterator[Result]:
    """What comes of each case, as it comes."""
    with subprocess.Popen(
        command, env=environment({}), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield Result(**json.loads(line))
