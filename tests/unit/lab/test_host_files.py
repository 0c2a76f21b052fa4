# SPDX-License-Identifier: GPL-2.0-or-later
"""A host's files are what tkm_cfgtool takes, and the key is for the owner alone."""

from __future__ import annotations

from lab.host_files import KEY, XML, files_of
from lab.topology import load
from tests.unit.trusted import identity, pki
from tkm.config import xml


def test_configuration_is_what_cfgtool_takes() -> None:
    topology = load("two-hosts")
    ca = pki().ca
    own = ca.issue_cert(identity("alice"), key=pki().keys["alice"])
    files = files_of(topology, topology.node("alice"), ca, own)
    config = xml.read(files[XML].octets)
    (policy,) = config.policies.values()
    assert str(policy.local.ip) == "192.168.0.1"
    assert policy.remote.identity == "bob@tkm-lab.test"
    assert config.local_identities[1].identity == "alice@tkm-lab.test"
    assert files[KEY].mode == 0o600
    assert all(file.mode == 0o644 for path, file in files.items() if path != KEY)
