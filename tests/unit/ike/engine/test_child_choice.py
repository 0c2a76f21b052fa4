# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of several configured Child SAs, whose traffic overlaps, a peer means."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from ike.address import Network as Net
from ike.config.model import ChildConfig, Mode
from ike.config.proposals import parse
from ike.engine import selectors
from ike.engine.child_negotiation import find
from ike.message.errors import TsUnacceptable
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType, Protocol
from ike.message.payloads import TsInitiator, TsResponder
from tests.unit.ike.network import Network

OURS = "192.168.0.1/32"
CONFIGURED = {"wide": "172.16.0.0/12", "net": "172.20.0.0/16", "host": "172.20.0.1/32"}


def child(name: str, reqid: int) -> ChildConfig:
    return ChildConfig(
        name=name,
        reqid=reqid,
        mode=Mode.TUNNEL,
        proposals=parse("aes256-sha512-modp4096", Protocol.ESP),
        local_ts=(Net.parse(CONFIGURED[name]),),
        remote_ts=(Net.parse(OURS),),
    )


def chosen(network: Network, asked: str, order: Sequence[str]) -> tuple[str, str]:
    """The name of the Child SA, and the local selectors that are agreed."""
    (sa,) = network.bob.engine.sas()
    message = Message(
        Header(bytes(8), bytes(8), ExchangeType.CREATE_CHILD_SA, True, False, 2),
        (
            TsInitiator(selectors.configured((Net.parse(OURS),), "")),
            TsResponder(selectors.configured((Net.parse(asked),), "")),
        ),
    )
    children = [child(name, number) for number, name in enumerate(order, 1)]
    config, local_ts, _ = find(sa, message, children)
    return config.name, selectors.spell(local_ts)


@pytest.mark.parametrize("order", tuple(permutations(CONFIGURED)), ids=" ".join)
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("172.16.0.0/12", ("wide", "172.16.0.0/12")),
        ("172.20.0.0/16", ("net", "172.20.0.0/16")),
        ("172.20.0.1/32", ("host", "172.20.0.1/32")),
        ("172.20.7.0/24", ("net", "172.20.7.0/24")),
        ("172.18.0.0/16", ("wide", "172.18.0.0/16")),
        ("0.0.0.0/0", ("wide", "172.16.0.0/12")),
    ],
)
def test_the_peer_means_what_fits_best_in_any_order(
    connected: Network, asked: str, expected: tuple[str, str], order: Sequence[str]
) -> None:
    assert chosen(connected, asked, order) == expected


def test_without_common_traffic_there_is_none(connected: Network) -> None:
    with pytest.raises(TsUnacceptable):
        chosen(connected, "10.0.0.0/8", tuple(CONFIGURED))
