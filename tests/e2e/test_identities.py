# SPDX-License-Identifier: GPL-2.0-or-later
"""A distinguished name and an address as identities, between ours, and with strongSwan."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.build.backends import assign
from lab.check.checker import check
from lab.client import vici
from lab.topology import load, shipped
from tests.e2e.conftest import Builder

DN = "C=CH, O=tkm-lab, CN=alice"
ADDRESS = "192.168.0.2"


@pytest.mark.parametrize(
    "ike", [[], ["bob=strongswan"], ["alice=strongswan"]], ids=["ours", "initiator", "responder"]
)
def test_distinguished_name_and_address(fresh: Builder, tmp_path: Path, ike: list[str]) -> None:
    text = shipped()["two-hosts"].read_text()
    for node, identity in (("alice", DN), ("bob", ADDRESS)):
        text = text.replace(f"[nodes.{node}]", f'[nodes.{node}]\nidentity = "{identity}"')
    (tmp_path / "identities.toml").write_text(text)
    lab = fresh(assign(load(str(tmp_path / "identities.toml")), ike))
    assert lab.call("alice", ["ping", "-c", "1", "-w", "20", ADDRESS]).code == 0
    for node, (local, remote) in {"alice": (DN, ADDRESS), "bob": (ADDRESS, DN)}.items():
        (sa,) = vici.sas(lab, node)
        assert (sa.fields["local-id"], sa.fields["remote-id"]) == (local, remote)
    (proof,) = check(lab)
    assert proof.verdict.ok, [str(failure) for failure in proof.verdict.failures]
