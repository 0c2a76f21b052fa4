# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin for other people's tests, in a pytest of its own: the example, and failures."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from lab.client.lab import Lab
from tests.e2e.command import TREE, environment
from tests.e2e.test_seeing import tshark

FAILS = """
import pytest
from scapy.layers.inet import UDP
from scapy.layers.ipsec import ESP

pytestmark = pytest.mark.topology("two-hosts")

def test_fails(lab, links):
    lab.call("alice", ["ping", "-c1", "-w20", "192.168.0.2"])
    links("wire").expect(ESP)
    links("wire").expect(UDP, sender="nobody", deadline=0.1)

def test_has_the_same_lab(lab, links):
    links("wire").expect_not(ESP)
"""
OVERRIDDEN = """
import pytest
from lab.topology import load

@pytest.fixture
def topology():
    return load("two-hosts")

def test_that_ends_its_lab(lab):
    lab.down()

def test_that_gets_another(lab, topology):
    assert {node.name for node in lab.status().nodes} == set(topology.nodes)
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def labs(prefix: str = "pytest-") -> list[str]:
    return [summary.name for summary in Lab.all() if summary.name.startswith(prefix)]


def test_the_example_passes_with_xdist() -> None:
    done = run(TREE / "docs/examples/pytest", "-n", "2", "--dist", "loadfile")
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_a_failure_comes_with_its_lab_and_waits(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILS)
    options = ("--lab-keep", "--lab-pause-on-fail", "--lab-artifacts", "left")
    process = subprocess.Popen(
        command(*options),
        cwd=tmp_path,
        env=environment({}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        prefix = f"pytest-{process.pid}-"
        for line in process.stdout:
            if "tkm-lab shell --lab" in line:
                break
        (name,) = labs(prefix)
        assert line.split() == ["tkm-lab", "shell", "--lab", name, "alice"]
        process.stdin.write("\n")
        out, _ = process.communicate(timeout=170)
    with Lab.connect(name):  # it was kept
        assert process.returncode == 1
        assert "1 failed, 1 passed" in out
        assert f"the lab {name} is up: tkm-lab down --lab {name}" in out
        assert "no UDP from nobody on wire within 0.1 s; there was:" in out
        for section in ("lab: the wire", "lab: logs", "lab: files"):
            assert f"- {section} -" in out
        assert "CHILD_SA conn1{1} established" in out
    (left,) = (tmp_path / "left").iterdir()
    assert left.name == "test_it.py-test_fails"
    assert "CHILD_SA conn1{1} established" in (left / "logs.txt").read_text()
    assert "IKE_SA_INIT request" in (left / "run.html").read_text()
    assert "proto esp" in (left / "states.txt").read_text()
    assert "8" in tshark(left / "wire.pcapng", left / "keys", "icmp.type").split()


def test_the_topology_can_come_from_a_fixture_and_a_killed_session_leaves_no_lab(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_it.py").write_text(OVERRIDDEN + "    print('UP', flush=True); input()\n")
    process = subprocess.Popen(
        command("-s"),
        cwd=tmp_path,
        env=environment({}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert any("UP" in line for line in process.stdout)
        (name,) = labs(f"pytest-{process.pid}-")
        keeper = os.pidfd_open(Lab(name).summary().keeper)
        process.kill()
    with os.fdopen(keeper) as ended:
        assert select.select([ended], [], [], 20)[0]
    assert labs(f"pytest-{process.pid}-") == []


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        (FAILS, ("--lab-pause-on-fail", "-n", "1"), "needs a terminal: run without -n"),
        ("def test_it(lab): pass", (), "say of which topology"),
        (FAILS.replace("two-hosts", "no-such"), ("-k", "fails"), "there is no topology 'no-such'"),
    ],
)
def test_wrong_use_says_what_to_do(
    tmp_path: Path, text: str, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "test_it.py").write_text(text)
    done = run(tmp_path, *arguments)
    assert done.returncode in (1, 4)
    assert told in done.stdout + done.stderr


def test_sessions_without_labs_do_not_pay(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n"
        "    assert not {'scapy', 'rich', 'lab.client.lab'} & sys.modules.keys()"
    )
    assert run(tmp_path, "-q").returncode == 0
