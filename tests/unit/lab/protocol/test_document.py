# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology, and whatever else is a record, comes back from JSON as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest

from lab.protocol.document import decode, encode
from lab.topology import Topology, load, shipped


@pytest.mark.parametrize("name", shipped())
def test_every_topology_comes_back(name: str) -> None:
    topology = load(name)
    assert decode(Topology, json.loads(json.dumps(encode(topology)))) == topology


@dataclass(frozen=True)
class Record:
    network: IPv4Network | IPv6Network | None
    table: Mapping[IPv4Network | IPv6Network, tuple[int, ...]]
    pair: tuple[str, bool]


@pytest.mark.parametrize("network", [None, ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])
def test_unions_and_keys(network: IPv4Network | IPv6Network | None) -> None:
    record = Record(network, {ip_network("192.0.2.0/24"): (1, 2)}, ("text", True))
    assert decode(Record, json.loads(json.dumps(encode(record)))) == record


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        decode(Record, {"network": "nonsense", "table": {}, "pair": ["", False]})
