# SPDX-License-Identifier: GPL-2.0-or-later
"""What hosts of a topology need of the network, and whose certificates their authorities issue."""

from __future__ import annotations

import pytest

from lab.agent.links import nat_rules
from lab.build import network
from lab.build.identities import issue, keys_needed
from lab.client import status
from lab.errors import UsageError
from lab.pki import KeyStock
from lab.topology import load, parse


def host_of(name: str, node: str) -> status.Node:
    topology = load(name)
    return network.host(topology.node(node), topology.links)


def test_a_host_is_silent_and_passes_nothing_on() -> None:
    host = host_of("two-hosts", "alice")
    assert [(i.link, i.addresses, i.name) for i in host.interfaces] == [
        ("wire", ("192.168.0.1/24",), "eth0")
    ]
    assert (host.routes, host.nat) == ({}, "")
    assert host.sysctls == {
        "net/ipv6/conf/all/disable_ipv6": "1",
        "net/ipv6/conf/default/disable_ipv6": "1",
    }


OWN = """
title = "a host with programs of its own"
[links.wire]
[nodes.alice]
addresses = { wire = "192.0.2.1/24" }
run = ["/run/greet you", "no-such-program -x"]
files = { "/run/greet" = "#!/bin/sh" }
"""


def test_a_program_that_is_not_here_is_reported_before_anything_is_built() -> None:
    with pytest.raises(UsageError, match=r"^alice: run: there is no program 'no-such-program' on"):
        network.check_installed(parse("own", OWN))
    network.check_installed(parse("own", OWN.replace("no-such-program", "sh")))


def test_a_gateway_forwards_both_ip_versions() -> None:
    host = host_of("dual-stack", "moon")
    assert host.routes == {"10.2.0.0/16": "192.168.0.2", "fd02::/64": "fd00::2"}
    assert host.sysctls["net/ipv4/ip_forward"] == "1"
    assert host.sysctls["net/ipv6/conf/all/forwarding"] == "1"
    assert "net/ipv6/conf/all/disable_ipv6" not in host.sysctls


def test_nat_is_on_the_interface_of_its_link() -> None:
    host = host_of("nat", "moon")
    assert host.nat == "eth0"
    assert "-A POSTROUTING -o eth0 -j MASQUERADE" in nat_rules(host.nat)


def test_nat_needs_iptables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_PATH", "/nonexistent")
    network.check_installed(load("net-to-net"))
    with pytest.raises(UsageError, match="moon cannot do NAT: sudo apt-get install iptables"):
        network.check_installed(load("nat"))


def test_authorities_issue_what_the_topology_says() -> None:
    text = """
title = "a chain, and a foreigner"
[links.wire]
[authorities.branch]
issuer = "sales"
[authorities.sales]
[authorities.foreign]
issuer = "foreign"
[nodes.alice]
addresses = { wire = "192.0.2.1/24" }
ca = "branch"
[nodes.bob]
addresses = { wire = "192.0.2.2/24" }
ca = "foreign"
[nodes.router]
addresses = { wire = "192.0.2.3/24" }
[[policies]]
between = ["alice", "bob"]
"""
    topology = parse("chain", text)
    assert keys_needed(topology) == 6
    with KeyStock(6) as stock:
        root, hosts = issue(topology, stock)
    assert list(hosts) == ["alice", "bob"]
    names = [certificate.x509.subject.rfc4514_string() for certificate in hosts["alice"].chain]
    assert [name.partition(",")[0] for name in names] == ["CN=tkm-lab branch", "CN=tkm-lab sales"]
    top = hosts["alice"].chain[-1].x509
    top.verify_directly_issued_by(root.certificate.x509)
    assert hosts["bob"].chain == ()
    assert hosts["bob"].certificate.x509.issuer != root.certificate.x509.subject


def test_every_host_knows_all_by_name() -> None:
    assert network.names(load("dual-stack")).decode().splitlines()[:4] == [
        "127.0.0.1 localhost",
        "::1 localhost",
        "10.1.0.10 alice",
        "fd01::10 alice",
    ]


def test_an_interface_has_the_mtu_of_its_link() -> None:
    topology = parse(
        "x",
        """
title = "small frames"
[links.wire]
mtu = 1400
[nodes.alice]
addresses = { wire = "192.168.0.1/24" }
""",
    )
    (interface,) = network.host(topology.node("alice"), topology.links).interfaces
    assert interface.mtu == 1400
