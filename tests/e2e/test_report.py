# SPDX-License-Identifier: GPL-2.0-or-later
"""``tkm-lab report``: the page of a lab that is up."""

from __future__ import annotations

from pathlib import Path

from lab.client.lab import Lab
from lab.observe.report.page import page_of
from lab.observe.report.record import record
from tests.e2e.command import tkm_lab


def test_the_page_has_what_happened(two_hosts: Lab, tmp_path: Path) -> None:
    assert two_hosts.call("alice", ["ping", "-c1", "-w20", "192.168.0.2"]).code == 0
    file = tmp_path / "run.html"
    assert tkm_lab("report", "--lab", two_hosts.name, "-o", str(file)).code == 0
    written = file.read_text(encoding="utf-8")
    assert "IKE_SA_INIT request 0 [ SA KE No" in written
    assert "every packet verified" in written
    assert "The encrypted parts are closed" in written
    assert "XFRM_MSG_ACQUIRE" in written


def test_where_it_cannot_be_written_it_says_so(two_hosts: Lab, tmp_path: Path) -> None:
    outcome = tkm_lab("report", "--lab", two_hosts.name, "-o", str(tmp_path / "no" / "x.html"))
    assert outcome.code == 2
    assert "No such file or directory" in outcome.complaint


def test_a_record_knows_the_hosts_by_their_addresses(two_hosts: Lab) -> None:
    run = record(two_hosts)
    assert run.addresses["192.168.0.1"] == "alice"
    assert page_of(run).columns == ("alice", "bob")
