# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab that is saved and built again has the same configurations and credentials."""

from __future__ import annotations

import os
from pathlib import Path

from lab.client.lab import Lab
from tests.e2e.command import tkm_lab

KEY = "/etc/tkm/key.der"


def test_a_saved_lab_is_built_again(two_hosts: Lab, tmp_path: Path) -> None:
    folder, name = tmp_path / "saved", f"again-{os.getpid()}"
    assert tkm_lab("save", "--lab", two_hosts.name, str(folder)).code == 0
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "alice" / "key.der").stat().st_mode & 0o777 == 0o600
    config = folder / "alice" / "swanctl.conf"
    config.write_text(config.read_text() + "# changed before it is built\n")
    assert tkm_lab("save", "--lab", two_hosts.name, str(folder)).code == 2

    again = tkm_lab("up", str(folder), "--set", "n=1")
    assert (again.code, again.complaint.count("takes neither --set nor --ike")) == (2, 1)
    assert tkm_lab("up", str(folder), "--name", name).code == 0
    with Lab.connect(name) as lab:
        assert (
            lab.call("alice", ["cat", KEY]).stdout == two_hosts.call("alice", ["cat", KEY]).stdout
        )
        own = lab.call("alice", ["tail", "-n", "1", "/etc/tkm/swanctl.conf"]).stdout
        assert own == b"# changed before it is built\n"
        assert lab.call("alice", ["ping", "-c1", "-w20", "192.168.0.2"]).code == 0
        assert lab.states("alice").states
