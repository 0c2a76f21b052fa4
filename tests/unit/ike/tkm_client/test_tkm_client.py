# SPDX-License-Identifier: GPL-2.0-or-later
"""Contexts of the TKM as objects: taken once, given back once, none lost on the way."""

from typing import Any

import pytest

from ike.errors import LocalError
from ike.message.errors import NoAdditionalSas, OutOfContexts, TrustedRefusal
from ike.message.numbers import NotifyType
from ike.tkm_client import AuthenticatedEndpoint, IkeKeys, KeyExchange, KeyInputs, Nonce, TkmClient
from ike.tkm_client.client import Pool
from tests.unit.trusted import Host, host
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.result import Refused, Result

MODP_3072 = 15
SPI = bytes(range(8))


@pytest.fixture
def alice() -> Host:
    return host("alice")


@pytest.fixture
def tkm(alice: Host) -> TkmClient:
    return TkmClient(alice.client)


def peers_public_value() -> bytes:
    """One that this TKM has not given out itself."""
    return KeyExchange(TkmClient(host("bob").client), MODP_3072).public_value


def key_inputs(tkm: TkmClient) -> KeyInputs:
    exchange = KeyExchange(tkm, MODP_3072)
    assert exchange.public_value
    exchange.complete(peers_public_value())
    return KeyInputs(
        nonce=Nonce(tkm),
        peer_nonce=bytes(32),
        key_exchanges=(exchange,),
        initiator=True,
        spi_local=SPI,
        spi_remote=SPI[::-1],
    )


def test_numbers_are_used_again() -> None:
    pool = Pool("nc", 3)
    assert [pool.take() for _ in range(3)] == [1, 2, 3]
    with pytest.raises(OutOfContexts, match="all 3 nc contexts"):
        pool.take()
    pool.give_back(2)
    assert (pool.in_use, pool.take(), pool.in_use) == (2, 2, 3)


def test_running_out_is_told_to_the_peer() -> None:
    assert issubclass(OutOfContexts, NoAdditionalSas)
    assert OutOfContexts.notify == NotifyType.NO_ADDITIONAL_SAS


def test_a_nonce_is_freed_once(tkm: TkmClient) -> None:
    nonce = Nonce(tkm)
    assert len(nonce.octets) == 32
    assert tkm.contexts_in_use["nc"] == 1
    nonce.free()
    nonce.free()
    assert tkm.contexts_in_use["nc"] == 0
    assert Nonce(tkm).id == nonce.id


def test_what_cannot_be_made_takes_nothing(tkm: TkmClient) -> None:
    with pytest.raises(TrustedRefusal):
        Nonce(tkm, 1)
    assert tkm.contexts_in_use["nc"] == 0


def test_an_unknown_key_exchange_is_refused(tkm: TkmClient) -> None:
    exchange = KeyExchange(tkm, 13)
    with pytest.raises(TrustedRefusal):
        _ = exchange.public_value
    exchange.free()
    assert tkm.contexts_in_use["ke"] == 0


@pytest.mark.parametrize("public_value", [bytes(384), b"\1", b""])
def test_a_bad_public_value_is_refused_and_another_may_follow(
    tkm: TkmClient, public_value: bytes
) -> None:
    exchange = KeyExchange(tkm, MODP_3072)
    with pytest.raises(TrustedRefusal) as refused:
        exchange.complete(public_value)
    assert refused.value.notify == NotifyType.INVALID_SYNTAX
    exchange.complete(peers_public_value())


def test_keys_use_up_their_shares(tkm: TkmClient, alice: Host) -> None:
    taken = key_inputs(tkm)
    spare = tkm.contexts_in_use["ke"] - 1
    keys = IkeKeys.create(AuthenticatedEndpoint(tkm), taken)
    assert (keys.block, keys.iv, keys.icv) == (16, 16, 32)
    assert tkm.contexts_in_use["nc"] == 0
    assert tkm.contexts_in_use["ke"] == spare
    with pytest.raises(Refused):
        alice.client.call(rpc2.IsaEncrypt(isa=keys.id + 1, aad_length=0, message=bytes(16)))


def test_refused_keys_leave_their_shares(tkm: TkmClient) -> None:
    taken = key_inputs(tkm)
    with pytest.raises(TrustedRefusal) as refused:
        IkeKeys.create(AuthenticatedEndpoint(tkm), taken, 9)
    assert refused.value.result == Result.INVALID_ID
    assert tkm.contexts_in_use["isa"] == 0
    assert tkm.contexts_in_use["nc"] == 1


def test_another_generation(alice: Host) -> None:
    class Other(Client):
        def call(self, request: Any) -> Any:
            return rpc2.VersionReply(version=1)

    with pytest.raises(LocalError, match="generation 1, not 2"):
        TkmClient(Other(rpc2.RPC2, lambda frame: frame))


def test_a_new_client_resets_everything(alice: Host) -> None:
    Nonce(TkmClient(alice.client))
    assert Nonce(TkmClient(alice.client)).id == 1
