# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line says what is wrong in one line, with the right exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.cli.main import cli, main
from lab.topology import load, parse
from lab.topology.template import START


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
        (["up", "two-hosts", "--name", "a/b"], 2, "not a name"),
        (["up", "two-hosts", "--name", ""], 2, "not a name"),
        (["up", "two-hosts", "--name", "-x"], 2, "not a name"),
        (["up", "two-hosts", "--name", "ünï"], 2, "not a name"),
        (["new", "ünï"], 2, "not a name"),
        (["new", "./-x"], 2, "not a name"),
        (["new", ""], 2, "not a name"),
        (["down", "--all", NOWHERE], 2, "--all ends all labs"),
        (["down", "one", "--lab", "two"], 2, "both one and --lab two"),
        (["run", "forged-packets", "--junit", "/no/such/a.xml"], 2, "/no/such/a.xml: No such"),
        (["run", "forged-packets", "--junit", "/proc/version"], 2, "/proc/version: "),
        (["run", "forged-packets", "--keep", "/proc/none"], 2, "/proc/none: No such file"),
        (["run", "forged-packets", "--keep", "/proc/version/a"], 2, "say where with --keep DIR"),
        (["run", "forged-packets", "--keep", "/proc/version"], 2, "is a file"),
        (["status", "--lab", NOWHERE], 1, f"no lab named {NOWHERE} is up"),
        (["ping", "--lab", NOWHERE, "alice", "bob"], 1, f"no lab named {NOWHERE} is up"),
        (["check", "--lab", NOWHERE], 1, f"no lab named {NOWHERE} is up"),
        (["exec", "--lab", NOWHERE, "alice", "--", "true"], 1, f"no lab named {NOWHERE}"),
        (["logs", "--lab", NOWHERE, "alice"], 1, f"no lab named {NOWHERE}"),
        (["logs", "--lab", NOWHERE], 1, f"no lab named {NOWHERE}"),
        (["capture", "--lab", NOWHERE], 1, f"no lab named {NOWHERE}"),
        (["graph", "--lab", NOWHERE], 1, f"no lab named {NOWHERE}"),
        (["graph", "no-such-topology"], 2, "there is no topology"),
        (["graph", "two-hosts", "-o", "a.pdf"], 2, "say --format, or end the name with .svg"),
        (["graph", "two-hosts", "-o", "/no/such/a.svg"], 2, "No such file"),
        (["new", "/no/such/folder/mine"], 2, "No such file"),
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


def test_new_writes_a_topology_once(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(capfd, "new", "mine")[0] == 0
    text = Path("mine.toml").read_text()
    assert load("mine.toml").policies
    code, _, err = run(capfd, "new", "mine")
    assert (code, "mine.toml exists" in err) == (2, True)
    assert Path("mine.toml").read_text() == text


def test_all_that_new_proposes_is_valid() -> None:
    everything = parse("mine", START.replace("#:", ""))
    assert len(everything.policies) == 2
    assert {"moon", "carol"} <= everything.nodes.keys()


def test_graph_draws_a_topology_in_each_language(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for ending, begin in ((".svg", "<svg"), (".mmd", "---"), (".dot", "graph {")):
        file = tmp_path / f"picture{ending}"
        assert run(capfd, "graph", "net-to-net", "-o", str(file)) == (0, "", "")
        assert file.read_text().startswith(begin)
    assert run(capfd, "graph", "two-hosts", "--format", "dot")[1].startswith("graph {")


def test_the_help_has_every_command_once(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, "--help")
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert all(listed.count(name) == 1 for name in cli.commands)


def test_doctor_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "doctor", "--json")
    assert code == 0
    assert {"subject", "good", "text", "mend"} == set(json.loads(out)[0])
