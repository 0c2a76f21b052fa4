# SPDX-License-Identifier: GPL-2.0-or-later
"""An IKE SA with ourselves: it goes through everything, and nothing of it stays."""

import pytest

from ike.daemon.warm_up import warm_up
from tests.unit.ike.network import Network
from tkm.rpc import rpc2
from tkm.rpc.interface import Request


@pytest.mark.parametrize("ike", ["aes256-sha512-modp3072", "aes256-sha512-modp3072-ke1_modp4096"])
def test_it_goes_through_everything(ike: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(ike=ike, fragmentation=True)
    side, asked = network.alice, list[type]()
    call = side.tkm.call

    def noting(request: Request[rpc2.TkmLimits]) -> object:
        asked.append(type(request))
        return call(request)

    monkeypatch.setattr(side.tkm, "call", noting)
    warm_up(side.tkm, side.engine.context.configuration)
    both_ways = (rpc2.NcCreate, rpc2.KeGet, rpc2.KeSet, rpc2.IsaCreate)
    assert all(asked.count(each) >= 2 for each in both_ways)
    assert rpc2.IsaEncrypt in asked
    assert rpc2.IsaDecrypt in asked
    assert (rpc2.IsaSign in asked) is ("ke1" not in ike)
    assert not {rpc2.IsaAuth, rpc2.EsaCreateFirst} & set(asked)


def test_nothing_of_it_stays(network: Network) -> None:
    side = network.alice
    warm_up(side.tkm, side.engine.context.configuration)
    assert side.contexts() == side.in_tkm() == {}
    assert not side.states()
    assert not side.engine.registry
    network.ping(side)
    network.run(1)
    assert network.is_up()


def test_nothing_to_warm_up_with(network: Network) -> None:
    side = network.alice
    configuration = side.engine.context.configuration
    warm_up(side.tkm, type(configuration)((), configuration.authorities))
    assert side.in_tkm() == {}
