# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology of our own, which lies beside this file."""

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.ipsec import ESP

pytestmark = pytest.mark.topology("office.toml")


def test_the_road_sees_only_esp(lab: Any, links: Any) -> None:
    assert lab.call("laptop", ["ping", "-c", "1", "-w", "20", "10.20.0.10"]).code == 0

    sealed = links("internet").expect(ESP, sender="laptop")
    assert sealed.packet[IP].dst == "203.0.113.1"  # who talks with whom behind it, nobody sees
    assert sealed.inside[IP].dst == "10.20.0.10"
    links("internet").expect_not(ICMP)
    links("office").expect(ICMP, sender="printer")  # in the office, plain text is fine
