# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands of a lab show on a terminal of 80 columns: no line is broken by it."""

from __future__ import annotations

import os

import pytest

from lab.client.lab import Lab
from tests.e2e.terminal import Shown, in_terminal


def _run(name: str, *arguments: str) -> Shown:
    shown = in_terminal(*arguments, TKM_LAB=name)
    assert shown.code == 0, shown.lines
    return shown


@pytest.mark.parametrize("topology", ["two-hosts", "dual-stack", "net-to-net"])
def test_a_lab_from_up_to_down(worker_id: str, topology: str) -> None:
    name = f"test-{os.getpid()}-{worker_id}-terminal"
    commands = (
        ("up", topology, "--name", name),
        ("ping", "alice", "bob"),
        ("status",),
        ("check",),
        ("logs",),
        ("graph", "--format", "mermaid"),
        ("down",),
    )
    with Lab(name):
        shown = {command: _run(name, *command) for command in commands}
    assert {command: too for command, one in shown.items() if (too := one.too_long)} == {}
    assert "is up" in "".join(shown[commands[0]].lines)
