# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters, and tables that repeat."""

from __future__ import annotations

import pytest

from lab.errors import UsageError
from lab.topology import TopologyError, load, parse, settings

STAR = """
title = "a hub and {clients} clients, not {others}"
[parameters]
clients = 2
[links."spoke{n}"]
repeat = "clients"
[links.wire]
[nodes.hub]
addresses = { wire = "10.0.0.1/16" }
routes = { default = "10.0.1.11" }
[nodes."client{n}"]
repeat = "clients"
addresses = { wire = "10.0.1.{n+10}/16", "spoke{n}" = ["10.{n}.0.1/16"] }
identity = "number{n-1}@tkm-lab.test"
forward = true
[[policies]]
between = ["client1", "hub"]
mode = "tunnel"
[[policies]]
repeat = "clients"
between = ["client{n}", "hub"]
mode = "tunnel"
networks = { "client{n}" = "10.{n}.0.0/16" }
"""


def test_repeats_as_often_as_the_parameter_says() -> None:
    topology = parse("star", STAR)
    assert topology.title == "a hub and 2 clients, not {others}"
    assert tuple(topology.links) == ("spoke1", "spoke2", "wire")
    assert list(topology.nodes) == ["hub", "client1", "client2"]
    second = topology.node("client2")
    assert [str(interface) for interface in second.interfaces] == ["10.0.1.12/16", "10.2.0.1/16"]
    assert second.identity == "number1@tkm-lab.test"
    assert [policy.between for policy in topology.policies] == [
        ("client1", "hub"),
        ("client1", "hub"),
        ("client2", "hub"),
    ]
    assert [policy.id for policy in topology.policies] == [1, 2, 3]


def test_parameters_can_be_set() -> None:
    assert len(parse("star", STAR, {"clients": 9}).nodes) == 10
    assert len(load("star", {"clients": 20}).policies) == 20


@pytest.mark.parametrize("clients", [0, 1, 100])
def test_star_of_any_size(clients: int) -> None:
    topology = load("star", {"clients": clients})
    assert len(topology.nodes) == 1 + clients
    assert topology.title == f"a hub and {clients} clients, ESP in tunnel mode"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("clients = 2", 'clients = "2"', "4: clients must be a whole number"),
        ('"client{n}"]\nrepeat = "clients"', '"client{n}"]\nrepeat = "x"', "12: nodes.client{n}: "),
        (
            '"client{n}"]\nrepeat = "clients"',
            '"client{n}"]\nrepeat = 1.5',
            "repeat must be a text or",
        ),
        (
            '"client{n}"]\nrepeat = "clients"',
            '"client{n}"]\nrepeat = 251',
            "repeat 251 times, only 0",
        ),
        ('[nodes."client{n}"]', "[nodes.client]", "there is a [nodes.client] already; write '{n}'"),
        (
            'wire = "10.0.1.{n+10}/16"',
            'wire = "10.0.1.{n+300}/16"',
            "13: nodes.client1: '10.0.1.301",
        ),
        (
            'wire = "10.0.1.{n+10}/16"',
            'wire = "10.0.1.1/16"',
            "13: nodes.client2: 10.0.1.1 is clie",
        ),
        (
            'networks = { "client{n}"',
            'networks = { "clint{n}"',
            "23: policies 2: networks of 'clint",
        ),
    ],
)
def test_tells_what_is_wrong(old: str, new: str, told: str) -> None:
    assert STAR.count(old) == 1
    with pytest.raises(TopologyError) as caught:
        parse("star", STAR.replace(old, new))
    assert told in str(caught.value)


def test_only_parameters_of_the_file_can_be_set() -> None:
    with pytest.raises(TopologyError, match=r"no parameter 'hosts' to set; known: clients"):
        parse("star", STAR, {"hosts": 3})
    with pytest.raises(TopologyError, match=r"no parameter 'clients' to set; known: none"):
        load("two-hosts", {"clients": 3})


def test_settings() -> None:
    assert settings(["clients=20", "x=-1"]) == {"clients": 20, "x": -1}
    for word in ("clients", "=3", "clients=", "clients=many", "clients=1.5"):
        with pytest.raises(UsageError, match="write NAME=NUMBER, such as clients=20"):
            settings([word])
