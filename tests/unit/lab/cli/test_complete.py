# SPDX-License-Identifier: GPL-2.0-or-later
"""Tab in the shell: what is proposed, without a lab. (With one: tests/e2e.)"""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from lab.cli.main import cli


def proposed(*words: str) -> list[str]:
    """What completes the last of these words."""
    *before, begun = words
    complete = ShellComplete(cli, {}, "tkm-lab", "_TKM_LAB_COMPLETE")
    return [item.value for item in complete.get_completions(before, begun)]


def test_commands_and_topologies() -> None:
    assert proposed("cap") == ["capture"]
    assert {"net-to-net", "nat"} <= set(proposed("up", "n"))
    assert proposed("graph", "./o") == ["./o"]  # a file: the shell itself goes on


@pytest.mark.parametrize("words", [("exec", "a"), ("logs", "alice", "t"), ("capture", "w")])
def test_without_a_lab_nothing_is_proposed(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TKM_LAB", "no-such-lab")
    assert proposed(*words) == []
