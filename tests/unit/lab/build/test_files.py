# SPDX-License-Identifier: GPL-2.0-or-later
"""A host's files are what tkm_cfgtool takes, and the key is for the owner alone."""

from __future__ import annotations

from pathlib import Path

from lab.build.files import KEY, XML, files_of
from lab.topology import load, parse, shipped
from tests.unit.trusted import identity, pki
from tkm.config.policy import Policy
from tkm_cfgtool import xml


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


def policies(topology: str, node: str) -> list[Policy]:
    """What tkm_cfgtool makes of a node's configuration."""
    plan = load(topology)
    own = pki().ca.issue_cert(identity("alice"), key=pki().keys["alice"])
    octets = files_of(plan, plan.node(node), pki().ca, own)[XML].octets
    return list(xml.read(octets).policies.values())


def test_gateways_protect_networks() -> None:
    (policy,) = policies("net-to-net", "sun")
    assert str(policy) == "10.2.0.0/16 > 192.168.0.2 <=> 192.168.0.1 < 10.1.0.0/16"


def test_each_knows_the_address_that_it_sees() -> None:
    (inside,), (outside,) = policies("nat", "alice"), policies("nat", "sun")
    assert str(inside) == "10.1.0.10/32 > 10.1.0.10 <=> 192.168.0.2 < 10.2.0.0/16"
    assert str(outside) == "10.2.0.0/16 > 192.168.0.2 <=> 192.168.0.1 < 10.1.0.10/32"


def test_a_host_has_a_policy_for_each_peer() -> None:
    assert [policy.id for policy in policies("multiple-clients", "sun")] == [1, 2]
    assert [policy.id for policy in policies("multiple-clients", "dave")] == [2]


def test_proposals_are_passed_on() -> None:
    text = Path(shipped()["two-hosts"]).read_text() + 'ike = "aes256-sha512-modp3072"\n'
    plan = parse("two-hosts", text)
    own = pki().ca.issue_cert(identity("alice"), key=pki().keys["alice"])
    config = xml.read(files_of(plan, plan.node("alice"), pki().ca, own)[XML].octets)
    assert config.policies[1].proposals.ike == "aes256-sha512-modp3072"
