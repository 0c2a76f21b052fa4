# SPDX-License-Identifier: GPL-2.0-or-later
"""How bad a link is: the words of tc-netem(8), and what is refused."""

from __future__ import annotations

import pytest

from lab.client.status import Disturbance
from lab.topology import TopologyError, parse
from lab.topology.impairment import Impairment

LINKS = """
title = "a link with properties"
[nodes.alice]
addresses = {{ wire = "192.168.0.1/24" }}
[links.wire]
{properties}
"""


@pytest.mark.parametrize(
    ("values", "netem"),
    [
        ({}, ""),
        ({"loss": 2.5}, "loss 2.5%"),
        ({"delay": 20}, "delay 20ms"),
        (
            {"delay": 20, "jitter": 5, "reorder": 25, "duplicate": 1, "rate": "10mbit"},
            "delay 20ms 5ms reorder 25% duplicate 1% rate 10mbit",
        ),
    ],
)
def test_words_of_netem(values: dict[str, float], netem: str) -> None:
    impairment = Impairment(**values)  # type: ignore[arg-type]
    assert impairment.fault() == ""
    assert " ".join(impairment.netem) == netem
    rows = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    assert parse("x", LINKS.format(properties=rows)).links["wire"].impairment == impairment


@pytest.mark.parametrize(
    ("properties", "fault"),
    [
        ("loss = 101", "loss is not a percentage from 0 to 100"),
        ("duplicate = -1", "duplicate is not a percentage from 0 to 100"),
        ("delay = 60001", "delay is not a number of milliseconds from 0 to 60000"),
        ("jitter = 5", "reorder and jitter need a delay"),
        ('rate = "fast"', "'fast' is not a rate; write one such as 10mbit"),
        ('rate = "10mbit; reboot"', "is not a rate"),
        ("mtu = 1279", "mtu must be 1280 to 9000"),
        ("mtu = 1400.5", "mtu must be a whole number"),
        ('loss = "10%"', "loss must be a whole number or a number with a point"),
    ],
)
def test_what_is_refused(properties: str, fault: str) -> None:
    with pytest.raises(TopologyError, match=fault):
        parse("x", LINKS.format(properties=properties))


def test_what_is_wrong_is_shown_in_words() -> None:
    found = Disturbance("alice", "wire", cut=True, down=True, netem=("loss", "10%"))
    assert str(found) == "unplugged, cut off, loss 10%"
