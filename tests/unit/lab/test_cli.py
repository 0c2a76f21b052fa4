# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line says what is wrong in one line, with the right exit code."""

from __future__ import annotations

import json

import pytest

from lab.cli.main import main


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code and output of a command."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    captured = capfd.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


NOWHERE = "no-such-lab"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["up", "three-hosts"], 2, "there is no topology 'three-hosts'"),
        (["up", "/no/such/file.toml"], 2, "No such file"),
        (["up", "two-hosts", "--kernel", "windows"], 2, "windows"),
        (["up", "two-hosts", "--name", "a/b"], 2, "no name"),
        (["status", "--lab", NOWHERE], 1, f"no lab named {NOWHERE} is up"),
        (["ping", "--lab", NOWHERE, "alice", "bob"], 1, f"no lab named {NOWHERE} is up"),
        (["check", "--lab", NOWHERE], 1, f"no lab named {NOWHERE} is up"),
        (["exec", "--lab", NOWHERE, "alice", "--", "true"], 1, f"no lab named {NOWHERE}"),
        (["logs", "--lab", NOWHERE, "alice"], 1, f"no lab named {NOWHERE}"),
        (["logs"], 2, "Missing argument"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_trouble_is_one_line(
    capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, told: str
) -> None:
    left, out, err = run(capfd, *arguments)
    assert left == code
    assert told in err
    assert out == ""
    assert "Traceback" not in err


def test_down_is_idempotent(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "down", NOWHERE)[0] == 0
    assert run(capfd, "down", NOWHERE)[0] == 0


def test_topologies_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "topologies", "--json")
    assert code == 0
    assert "two-hosts" in [row["name"] for row in json.loads(out)]


def test_doctor_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "doctor", "--json")
    assert code == 0
    assert {"subject", "good", "text", "mend"} == set(json.loads(out)[0])
