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


def test_who_does_ike_is_completed_for_the_nodes_that_are_meant() -> None:
    assert proposed("up", "two-hosts", "--ike", "alice=s") == ["alice=strongswan"]
    assert {"moon=builtin", "sun=none"} <= set(proposed("up", "net-to-net", "--ike", ""))
    assert not any(word.startswith("alice") for word in proposed("up", "net-to-net", "--ike", ""))
    assert proposed("run", "forged-packets", "--ike", "bob=c") == ["bob=charon-tkm"]
    assert proposed("up", "no-such-topology", "--ike", "") == []
    assert proposed("up", "--ike", "") == []


@pytest.mark.parametrize("words", [("exec", "a"), ("logs", "alice", "t"), ("capture", "w")])
def test_without_a_lab_nothing_is_proposed(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TKM_LAB", "no-such-lab")
    assert proposed(*words) == []
