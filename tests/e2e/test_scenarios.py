# SPDX-License-Identifier: GPL-2.0-or-later
"""Every scenario that comes with the lab: by tkm_iked on all sides, and with strongSwan."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.client.lab import Lab
from lab.scenario.model import Scenario, load, shipped
from lab.scenario.outcomes import Outcome
from lab.scenario.runner import Options, run
from tests.e2e.command import tkm_lab

FAILS = """\
title = "nobody has a policy any more"
holds = "that plain text is told, and all that was to be seen is kept"
steps = [
    { ping = "alice -> bob" },
    { exec = "ip xfrm policy flush", on = "alice" },
    { exec = "ip xfrm policy flush", on = "bob" },
    { expect_policies = "alice <-> bob", none = true },
    { ping = "alice -> bob" },
]
"""


def play(scenario: Scenario, folder: Path) -> Outcome:
    result = run(scenario, Options(keep=folder))
    assert result.outcome is not Outcome.FAILED, (result.reason, *map(str, result.steps))
    return result.outcome


@pytest.mark.parametrize("name", shipped())
def test_scenario(name: str, tmp_path: Path) -> None:
    assert play(load(name), tmp_path) is Outcome.PASSED


@pytest.mark.parametrize("name", [name for name in shipped() if load(name).far])
def test_scenario_with_strongswan_at_the_far_side(name: str, tmp_path: Path) -> None:
    scenario = load(name).with_far("strongswan")
    outcome = play(scenario, tmp_path)
    # strongSwan before 6.0 lacks what some scenarios are about; that is told, and no failure.
    assert outcome is Outcome.PASSED or scenario.needs


def test_a_scenario_that_fails_keeps_what_was_to_be_seen(tmp_path: Path) -> None:
    file, report = tmp_path / "fails.toml", tmp_path / "report.xml"
    file.write_text(FAILS)
    places = ("--keep", str(tmp_path / "runs"), "--report", str(tmp_path / "pages"))
    outcome = tkm_lab("run", str(file), *places, "--junit", str(report))
    assert outcome.code == 1
    assert "✗ no plain text" in outcome.out
    assert "plain text on wire: ICMP echo request 192.168.0.1 → 192.168.0.2" in outcome.out
    (kept,) = (tmp_path / "runs").iterdir()
    assert str(kept) in outcome.out
    (told,) = json.loads((kept / "result.json").read_text())["scenarios"]
    states = [step["state"] for step in told["steps"]]
    assert states == [*["passed"] * 6, "failed"]
    page = (kept / "run.html").read_text()
    assert "plain text on wire: ICMP echo request" in page
    assert page == (tmp_path / "pages" / "fails.html").read_text()
    assert (kept / "wire.pcap").stat().st_size > 24
    assert "Adding policy" in (kept / "alice/tkm_keymanager.log").read_text()
    assert "proto esp spi 0x" in (kept / "bob/xfrm-state.txt").read_text()
    assert "192.168.0.1" in (kept / "alice/etc-tkm/swanctl.conf").read_text()
    assert not [path for path in kept.rglob("*") if path.name == "key.der"]
    (case,) = ElementTree.parse(report).getroot()
    assert case.find("failure") is not None


def test_interrupted_nothing_is_left(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from lab.cli.main import main; main()", "run", "tkm-killed"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*command, "--keep", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "✓ up" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert f"run-{process.pid}" not in [summary.name for summary in Lab.all()]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "which scenario? tkm-lab run --list shows them"),
        (("nothing",), 2, "there is no scenario 'nothing'"),
        (("tkm-killed", "--ike", "alice"), 2, "write NODE=BACKEND"),
        (("tkm-killed", "--ike", "eve=builtin"), 2, "there is no node 'eve' here"),
        (("tkm-killed", "--ike", "bob=iked"), 2, "no back end is called iked; there is: builtin"),
        (("host2host-initiator", "--far", "charon-tkm"), 3, "charon-tkm is not installed"),
    ],
)
def test_what_cannot_be_run(arguments: tuple[str, ...], code: int, told: str) -> None:
    outcome = tkm_lab("run", *arguments)
    assert outcome.code == code, outcome
    assert told in outcome.out + outcome.err
    assert len(outcome.err.splitlines()) <= 1


def test_the_list() -> None:
    outcome = tkm_lab("run", "--list", "--json")
    assert [row["name"] for row in json.loads(outcome.out)] == list(shipped())
