# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests can expect on a link (`lab.testing`), on the wire of a real lab."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.ipsec import ESP

from lab.client.lab import Lab
from lab.testing import Link, Links

PING = ["ping", "-c1", "-w20", "192.168.0.2"]


@pytest.fixture
def wire(two_hosts: Lab) -> Link:
    assert two_hosts.call("alice", PING).code == 0  # the SAs are up
    return Links(two_hosts)("wire")


@pytest.fixture
def pinging(two_hosts: Lab) -> Iterator[None]:
    """Alice pings bob, and we do not wait for it."""
    two_hosts.spawn("alice", [*PING[:-1], "-i1", "-c2", PING[-1]], "ping")
    yield
    two_hosts.wait_for_exit("alice", "ping", deadline=30)


def test_a_packet_that_is_there(two_hosts: Lab, wire: Link) -> None:
    two_hosts.call("alice", PING)
    request = wire.expect(ESP, sender="alice")
    assert (request.sender, request.packet[IP].dst) == ("alice", "192.168.0.2")
    reply = wire.expect(ESP, after=request)
    assert (reply.sender, reply.number > request.number) == ("bob", True)
    assert wire.expect(lambda p: p[IP].dst == "192.168.0.1").number == reply.number
    wire.expect_not(ICMP)


def test_a_packet_that_is_yet_to_come(wire: Link, pinging: None) -> None:
    seen = wire.expect(lambda p: p[ESP].seq > 0, sender="bob", deadline=20)
    assert seen.packet[IP].src == "192.168.0.2"


def test_the_inside_of_esp(two_hosts: Lab, wire: Link) -> None:
    two_hosts.call("alice", [*PING[:-1], "-s15", "-p", "c0ffee", PING[-1]])
    echo = wire.expect(lambda p: p[ICMP].type == 8, inside=True)
    assert bytes(echo.inside[ICMP].payload) == b"\xc0\xff\xee" * 5
    assert echo.inside[IP].dst == "192.168.0.2"
    wire.expect(lambda p: p[ICMP].type == 0, inside=True, sender="bob", after=echo)
    wire.expect_not(UDP, inside=True)


def test_what_does_not_come_is_told_with_what_came(two_hosts: Lab, wire: Link) -> None:
    two_hosts.call("alice", PING)
    began = time.monotonic()
    with pytest.raises(AssertionError) as failure:
        wire.expect(UDP, sender="bob", deadline=0.3)
    assert time.monotonic() - began >= 0.3
    lines = str(failure.value).splitlines()
    assert lines[0] == "no UDP from bob on wire within 0.3 s; there was:"
    assert any("alice" in line and "echo-request" in line for line in lines[1:])


def test_a_packet_that_must_not_be(two_hosts: Lab, wire: Link) -> None:
    two_hosts.call("alice", PING)
    with pytest.raises(AssertionError, match="there is ESP from bob on wire"):
        wire.expect_not(ESP, sender="bob")
    with pytest.raises(AssertionError, match="there is ICMP inside ESP on wire"):
        wire.expect_not(ICMP, inside=True)


def test_a_packet_that_must_not_come(wire: Link, pinging: None) -> None:
    with pytest.raises(AssertionError, match="there is ESP from bob"):
        wire.expect_not(ESP, sender="bob", deadline=20)


def test_what_is_forgotten_is_expected_no_more(two_hosts: Lab, wire: Link) -> None:
    two_hosts.call("alice", PING)
    early = wire.expect(ESP, sender="alice").packet[ESP].seq
    wire.forget()
    wire.expect_not(ESP)
    two_hosts.call("alice", PING)
    assert wire.expect(ESP, sender="alice").packet[ESP].seq > early


def test_a_predicate_s_own_defect_is_not_hidden(two_hosts: Lab, wire: Link) -> None:
    two_hosts.call("alice", PING)
    with pytest.raises(AttributeError):
        wire.expect(lambda p: p[ESP].no_such_field)


def test_links_by_name(two_hosts: Lab) -> None:
    links = Links(two_hosts)
    assert [link.name for link in links] == ["wire"]
    with pytest.raises(LookupError, match="no link wan in this lab; there is: wire"):
        links("wan")
    links("wire").expect_not(ICMP)
