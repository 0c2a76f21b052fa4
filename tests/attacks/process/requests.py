# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that would be granted, so that one wrong thing in them is what is refused."""

import os
from typing import Any

import pytest

from tests.attacks.process.attacker import Attacker
from tests.unit.tkm.conversation import MODP_3072, End
from tkm.crypto.key_exchange import method_of
from tkm.rpc import rpc2

GENERATION_2 = pytest.mark.parametrize("running", [2], indirect=True, ids=["2"])
"""Generation 1 has no such operation or value."""


def no_pfs(alice: End, peers: bytes, **instead: Any) -> rpc2.EsaCreateNoPfs:
    values: dict[str, Any] = {
        "esa": 1, "isa": alice.isa, "sp": 1, "ea": 1, "nc_loc": 1, "nonce_rem": peers,
        "initiator": True, "spi_loc": b"\xc1" + os.urandom(3), "spi_rem": b"\xc2" + os.urandom(3),
    }  # fmt: skip
    return rpc2.EsaCreateNoPfs(**values | instead)


def first(alice: End, **instead: Any) -> rpc2.EsaCreateFirst:
    values: dict[str, Any] = {"esa": 9, "isa": alice.isa, "sp": 1, "ea": 1}
    spis = {"spi_loc": b"\xc1" + os.urandom(3), "spi_rem": b"\xc2" + os.urandom(3)}
    return rpc2.EsaCreateFirst(**values | spis | instead)


def isa_create(nonce: bytes = b"", **instead: Any) -> rpc2.IsaCreate:
    values: dict[str, Any] = {
        "isa": 1, "ae": 1, "ia": 1, "ke": 1, "nc_loc": 1, "nonce_rem": nonce or os.urandom(32),
        "initiator": True, "spi_loc": os.urandom(8), "spi_rem": os.urandom(8),
    }  # fmt: skip
    return rpc2.IsaCreate(**values | instead)


def child(**instead: Any) -> rpc2.IsaCreateChild:
    values: dict[str, Any] = {
        "isa": 2, "parent": 1, "ia": 1, "ke": (1,), "nc_loc": 1, "nonce_rem": os.urandom(32),
        "initiator": True, "spi_loc": os.urandom(8), "spi_rem": os.urandom(8),
    }  # fmt: skip
    return rpc2.IsaCreateChild(**values | instead)


def complete(on: Attacker, ke: int = 1) -> bytes:
    """A key exchange that is ready; our public value."""
    value: bytes = on.client.call(rpc2.KeGet(ke=ke, method=MODP_3072)).public_value
    peers = method_of(MODP_3072).generate().public_value()
    on.client.call(rpc2.KeSet(ke=ke, method=MODP_3072, public_value=peers))
    return value


def nonce(on: Attacker, nc: int = 1, length: int = 32) -> bytes:
    octets: bytes = on.client.call(rpc2.NcCreate(nc=nc, length=length)).nonce
    return octets


def sign(alice: End, on: Attacker, message: bytes, lc: int = 1) -> rpc2.IsaSign:
    return rpc2.IsaSign(isa=alice.isa, lc=lc, hash_algorithms=on.hashes, init_message=message)


def auth(
    on: Attacker, alice: End, bob: End, signature: rpc2.SignatureReply, **instead: Any
) -> rpc2.IsaAuth:
    values: dict[str, Any] = {
        "isa": alice.isa, "cc": 1, "init_message": bob.init_message,
        "method": signature.method, "signature": signature.signature,
    }  # fmt: skip
    if on.generation == 1:
        values["method"] = 1
    return rpc2.IsaAuth(**values | instead)


def ready_to_prove(on: Attacker, **options: Any) -> Any:
    """alice has signed, bob has signed, his chain is checked."""
    talk, alice, bob = on.derived(**options)
    own, bobs = talk.sign(alice, on.hashes), talk.sign(bob, on.hashes)
    talk.check_chain(alice, bob)
    return talk, alice, bob, own, bobs
