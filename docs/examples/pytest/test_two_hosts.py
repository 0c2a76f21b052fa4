# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts of the lab, tested: what is on the wire, and what is inside."""

from typing import Any

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.ipsec import ESP

from lab.client import vici

pytestmark = pytest.mark.topology("two-hosts")


def ping(lab: Any, source: Any, address: Any) -> None:
    assert lab.call(source, ["ping", "-c", "1", "-w", "20", address]).code == 0


def test_a_ping_is_protected(lab: Any, links: Any) -> None:
    ping(lab, "alice", "192.168.0.2")
    wire = links("wire")

    request = wire.expect(ESP, sender="alice")
    wire.expect(ESP, sender="bob", after=request)
    wire.expect_not(ICMP)  # in the clear


def test_what_is_inside(lab: Any, links: Any) -> None:
    ping(lab, "alice", "192.168.0.2")
    wire = links("wire")

    request = wire.expect(lambda p: p[ICMP].type == 8, inside=True, sender="alice")
    reply = wire.expect(lambda p: p[ICMP].type == 0, inside=True, after=request)
    assert reply.inside[ICMP].id == request.inside[ICMP].id


def test_traffic_goes_on_with_new_keys(lab: Any, links: Any) -> None:
    ping(lab, "alice", "192.168.0.2")
    wire = links("wire")
    before = wire.expect(ESP, sender="alice").packet[ESP].spi

    vici.rekey(lab, "alice", child="conn1")
    lab.wait_for_line("alice", "tkm_iked", "deleting child SA")
    wire.forget()
    ping(lab, "alice", "192.168.0.2")

    assert wire.expect(ESP, sender="alice").packet[ESP].spi != before


@pytest.mark.topology("two-hosts", fresh=True)
def test_without_a_daemon_nothing_leaks(lab: Any, links: Any) -> None:
    lab.stop("bob", "tkm_iked")  # a fresh lab: nobody else needs it any more
    assert lab.call("alice", ["ping", "-c", "1", "-W", "1", "192.168.0.2"]).code == 1

    links("wire").expect_not(ICMP)
