# SPDX-License-Identifier: GPL-2.0-or-later
"""Files between this machine and hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.client.lab import Lab
from tests.e2e.command import Outcome, tkm_lab


def cp(lab: Lab, source: str | Path, target: str | Path) -> Outcome:
    return tkm_lab("cp", "--lab", lab.name, str(source), str(target))


def test_there_and_back(two_hosts: Lab, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    (sent / "below").mkdir(parents=True)
    (sent / "below" / "file").write_bytes(bytes(range(256)) * 1000)
    (sent / "run.sh").write_text("#!/bin/sh\nexit 7\n")
    (sent / "run.sh").chmod(0o755)
    for target, place in (("/tmp", "/tmp/sent"), ("/tmp/renamed", "/tmp/renamed")):
        assert cp(two_hosts, sent, f"alice:{target}") == (0, "", "")
        assert two_hosts.call("alice", [f"{place}/run.sh"]).code == 7
        assert cp(two_hosts, f"alice:{place}", f"bob:{place}2") == (0, "", "")
        back = tmp_path / f"back from {Path(place).name}"
        assert cp(two_hosts, f"bob:{place}2", back) == (0, "", "")
        assert (back / "below" / "file").read_bytes() == (sent / "below" / "file").read_bytes()
    assert cp(two_hosts, "bob:/tmp/sent2/run.sh", f"{tmp_path}/") == (0, "", "")
    assert (tmp_path / "run.sh").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("source", "target", "code", "fault"),
    [
        ("a", "b", 2, "which host? write one of the two as alice:/tmp/file"),
        ("alice:", "b", 2, "'alice:' names no path"),
        ("alice:/tmp/missing", "b", 1, "alice: tar: missing: Cannot stat"),
        ("/none", "alice:/tmp", 1, "/none: No such file or directory"),
        ("carol:/tmp/x", "b", 2, "no node carol in this lab"),
        ("/etc/hosts", "alice:/none/", 1, "alice: tar: /none: Cannot open"),
    ],
)
def test_what_cannot_be_copied_is_one_line(
    two_hosts: Lab, source: str, target: str, code: int, fault: str
) -> None:
    done = cp(two_hosts, source, target)
    assert (done.code, done.out) == (code, "")
    assert fault in done.complaint
