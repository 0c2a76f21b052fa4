# SPDX-License-Identifier: GPL-2.0-or-later
"""Nonces, key exchanges and SPIs: no two SAs share a key."""

import os
from contextlib import suppress

from tests.attacks.process.attacker import Attacker
from tests.attacks.process.requests import (
    GENERATION_2,
    child,
    complete,
    isa_create,
    no_pfs,
    nonce,
)
from tests.unit.tkm.conversation import MODP_3072, MODP_4096
from tkm.crypto.key_exchange import METHODS, method_of
from tkm.crypto.modp import ModpGroup
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result


def test_own_nonce_as_the_peers(on: Attacker) -> None:
    complete(on)
    own, other = nonce(on), nonce(on, 2, 48)
    # Where Ni | Nr begins or ends with a nonce of ours that is not the one that is consumed.
    for peers in (own, other, own[1:] + other, own + other):
        on.refused(isa_create(peers), Result.INVALID_PARAMETER)
    for peers in (own, other, other + own[:-1], other + own):
        on.refused(isa_create(peers, initiator=False), Result.INVALID_PARAMETER)


def test_nonces_crosswise(on: Attacker) -> None:
    _, alice, _ = on.active()
    one, two = nonce(on), nonce(on, 2)
    on.refused(no_pfs(alice, two))
    on.refused(no_pfs(alice, one, nc_loc=2, initiator=False))


def test_nonces_that_overlap(on: Attacker) -> None:
    _, alice, _ = on.active()
    nonce(on)
    other = nonce(on, 2, 40)
    for peers in (os.urandom(9) + other, other + os.urandom(9)):
        # One of them puts it at an end of Ni | Nr as initiator, the other one as responder.
        with suppress(Refused):
            on.client.call(no_pfs(alice, peers))
        with suppress(Refused):
            on.client.call(no_pfs(alice, peers, esa=2, initiator=False))
        on.refused(no_pfs(alice, os.urandom(32)))
        nonce(on)


def test_nonce_twice(on: Attacker) -> None:
    _, alice, _ = on.active()
    nonce(on)
    on.client.call(no_pfs(alice, os.urandom(32)))
    on.refused(no_pfs(alice, os.urandom(32), esa=2))


def test_nonce_after_reset(on: Attacker) -> None:
    _, alice, _ = on.active()
    old = nonce(on)
    on.client.call(rpc2.NcReset(nc=1))
    on.refused(no_pfs(alice, os.urandom(32)))
    nonce(on)
    on.refused(no_pfs(alice, old))


def test_nonce_made_again(on: Attacker) -> None:
    nonce(on)
    on.refused(rpc2.NcCreate(nc=1, length=32), Result.INVALID_STATE)


def test_nonce_of_a_refused_state(on: Attacker) -> None:
    """The kernel has seen keys that it refuses: the nonce is gone."""
    _, alice, _ = on.active()
    nonce(on)
    request = no_pfs(alice, os.urandom(32))
    on.client.call(request)
    spis = {"spi_loc": request.spi_loc, "spi_rem": request.spi_rem}
    nonce(on)
    peers = os.urandom(32)
    on.refused(no_pfs(alice, peers, esa=2, **spis))
    on.refused(no_pfs(alice, peers, esa=2), Result.INVALID_STATE)


def test_nonces_of_odd_lengths(on: Attacker) -> None:
    for length in (0, 1, 15, 16, 31, 257, 65535):
        on.refused(rpc2.NcCreate(nc=1, length=length))


def test_own_public_value_as_the_peers(on: Attacker) -> None:
    values = [on.client.call(rpc2.KeGet(ke=ke, method=MODP_3072)).public_value for ke in (1, 2, 3)]
    on.client.call(rpc2.KeReset(ke=3))
    for value in values:
        on.refused(rpc2.KeSet(ke=1, method=MODP_3072, public_value=value))


def test_trivial_public_values(on: Attacker) -> None:
    on.client.call(rpc2.KeGet(ke=1, method=MODP_3072))
    group = method_of(MODP_3072)
    assert isinstance(group, ModpGroup)
    p = group.parameters.parameter_numbers().p
    for value in (0, 1, p - 1, p, p + 1, (1 << 3072) - 1):
        octets = value.to_bytes(384, "big")
        on.refused(rpc2.KeSet(ke=1, method=MODP_3072, public_value=octets), Result.MATH_ERROR)
    good = method_of(MODP_3072).generate().public_value()
    for octets in (good[:-1], good + b"\0", b"\0" + good, good[:1], b"\2"):
        on.refused(rpc2.KeSet(ke=1, method=MODP_3072, public_value=octets))


def test_key_exchange_twice(on: Attacker) -> None:
    complete(on)
    nonce(on)
    on.client.call(isa_create())
    nonce(on)
    on.refused(isa_create(isa=2, ae=2), Result.INVALID_STATE)


@GENERATION_2
def test_one_key_exchange_as_several(on: Attacker) -> None:
    _, alice, _ = on.active()
    complete(on)
    nonce(on)
    on.refused(child(ke=(1, 1)), Result.INVALID_STATE)
    on.refused(child(ke=(1, 2)), Result.INVALID_STATE)
    values = {
        name: getattr(no_pfs(alice, os.urandom(32)), name) for name in rpc2.EsaCreateNoPfs.fields
    }
    for ke in ((1, 1), (1, 2), (1, 2, 3, 4, 5, 6, 7, 8), (1,) * 8):
        on.refused(rpc2.EsaCreate(ke=ke, **values), Result.INVALID_STATE)


def test_half_a_key_exchange(on: Attacker) -> None:
    nonce(on)
    on.refused(isa_create(), Result.INVALID_STATE)
    on.client.call(rpc2.KeGet(ke=1, method=MODP_3072))
    on.refused(isa_create(), Result.INVALID_STATE)
    on.refused(rpc2.KeGet(ke=1, method=MODP_3072), Result.INVALID_STATE)


def test_another_public_value_at_second_thought(on: Attacker) -> None:
    complete(on)
    other = method_of(MODP_3072).generate().public_value()
    on.refused(rpc2.KeSet(ke=1, method=MODP_3072, public_value=other), Result.INVALID_STATE)


@GENERATION_2
def test_each_method_in_the_sandbox(on: Attacker) -> None:
    """Nothing is left for a library to import at the first use."""
    for method in METHODS:
        on.client.call(rpc2.KeGet(ke=1, method=method))
        on.client.call(rpc2.KeReset(ke=1))
        peers = method_of(method).generate().public_value()
        on.client.call(rpc2.KeSet(ke=1, method=method, public_value=peers))
        on.client.call(rpc2.KeGet(ke=1, method=method))
        on.client.call(rpc2.KeReset(ke=1))


@GENERATION_2
def test_methods_that_are_none_or_another(on: Attacker) -> None:
    for method in (0, 1, 2, 5, 13, 22, 30, 33, 35, 38, 65535):
        on.refused(rpc2.KeGet(ke=1, method=method), Result.INVALID_PARAMETER)
        on.refused(rpc2.KeSet(ke=1, method=method, public_value=b"\5" * 384))
    on.client.call(rpc2.KeGet(ke=1, method=MODP_3072))
    value = method_of(MODP_4096).generate().public_value()
    on.refused(rpc2.KeSet(ke=1, method=MODP_4096, public_value=value), Result.INVALID_PARAMETER)


def test_spis_that_are_reserved_or_the_same(on: Attacker) -> None:
    _, alice, _ = on.active()
    nonce(on)
    peers, good = os.urandom(32), b"\xc0\0\0\1"
    for bad in (bytes(4), b"\0\0\0\1", b"\0\0\0\xff", good):
        on.refused(no_pfs(alice, peers, spi_loc=good, spi_rem=bad), Result.INVALID_PARAMETER)
        on.refused(no_pfs(alice, peers, spi_loc=bad, spi_rem=good), Result.INVALID_PARAMETER)
    complete(on)
    for bad in (bytes(8), b"12345678"):
        on.refused(isa_create(isa=2, ae=2, spi_loc=b"12345678", spi_rem=bad))
        on.refused(child(spi_loc=b"12345678", spi_rem=bad))


def test_spis_of_another_child_sa(on: Attacker) -> None:
    _, alice, _ = on.active()
    nonce(on)
    standing = no_pfs(alice, os.urandom(32))
    on.client.call(standing)
    on.client.call(rpc2.EsaSelect(esa=1))
    states = on.states
    fresh = b"\xc3" + os.urandom(3)
    on.refused(no_pfs(alice, os.urandom(32), esa=2, spi_loc=standing.spi_loc, spi_rem=fresh))
    on.client.call(rpc2.NcReset(nc=1))
    nonce(on)
    on.client.call(no_pfs(alice, os.urandom(32), esa=2, spi_loc=fresh, spi_rem=standing.spi_rem))
    on.refused(rpc2.EsaSelect(esa=2), Result.KERNEL_FAILURE, Result.INVALID_STATE)
    on.client.call(rpc2.EsaReset(esa=2))
    assert on.states == states, "what is reset was not the state of another Child SA"
    nonce(on)
    spis_exchanged = {"spi_loc": standing.spi_rem, "spi_rem": standing.spi_loc}
    on.client.call(no_pfs(alice, os.urandom(32), esa=2, **spis_exchanged))
