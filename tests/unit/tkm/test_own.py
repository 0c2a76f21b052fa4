# SPDX-License-Identifier: GPL-2.0-or-later
"""No two SAs share a key: what is ours never comes back as the peer's, whatever its length."""

from typing import Any

import pytest

from tests.unit.tkm.charon import host1
from tests.unit.tkm.conversation import MODP_3072, Conversation, established
from tests.unit.tkm.test_preconditions import refused
from tests.unit.trusted import Host, sha1_host
from tkm.core.own import OwnValues
from tkm.errors import InvalidParameter
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result

GENERATIONS = pytest.mark.parametrize("make", [sha1_host, host1], ids=["2", "1"])


def nonce(alice: Host, number: int, length: int = 32) -> bytes:
    own: bytes = alice.client.call(rpc2.NcCreate(nc=number, length=length)).nonce
    return own


def child(esa: int, nc: int, peers: bytes, initiator: bool) -> rpc2.EsaCreateNoPfs:
    return rpc2.EsaCreateNoPfs(
        esa=esa, isa=1, sp=1, ea=1, nc_loc=nc, nonce_rem=peers, initiator=initiator,
        spi_loc=b"\xc0\0\0" + bytes([esa]), spi_rem=b"\xc1\0\0" + bytes([esa]),
    )  # fmt: skip


def talk_of(make: Any) -> Host:
    talk = Conversation(make("alice"), sha1_host("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth(())
    talk.first_child()
    return talk.initiator.host


def keys(alice: Host) -> list[bytes]:
    return [key for state in alice.kernel.states for key in (state.encryption, state.integrity)]


@GENERATIONS
def test_own_nonces_crosswise(make: Any) -> None:
    alice = talk_of(make)
    first, second = nonce(alice, 1), nonce(alice, 2)
    for request in (child(2, 1, second, True), child(3, 2, first, False)):
        with refused(Result.INVALID_PARAMETER):
            alice.client.call(request)
    assert len(keys(alice)) == len(set(keys(alice))) == 4


@GENERATIONS
@pytest.mark.parametrize("extra", [b"", b"x"], ids=["alone", "with more"])
@pytest.mark.parametrize("initiator", [True, False])
def test_own_nonces_inside_of_longer_ones(make: Any, extra: bytes, initiator: bool) -> None:
    """Ni | Nr = A | (X | C) is the same as (A | X) | C."""
    alice = talk_of(make)
    first, second = nonce(alice, 1), nonce(alice, 2)
    before, after = (
        (extra + second, first + extra) if initiator else (second + extra, extra + first)
    )
    outcomes = []
    for request in (child(2, 1, before, initiator), child(3, 2, after, not initiator)):
        try:
            alice.client.call(request)
            outcomes.append("granted")
        except Refused as refusal:
            outcomes.append(refusal.result.name)
    assert outcomes[0] == "INVALID_PARAMETER"
    assert len(keys(alice)) == len(set(keys(alice)))


@GENERATIONS
def test_own_nonces_that_overlap(make: Any) -> None:
    """The end of one is by chance the beginning of another: A | X = Y | C with A and C entwined."""
    alice = talk_of(make)
    first = nonce(alice, 1, 33)
    second = nonce(alice, 2, 33)
    while second[0] != first[-1]:
        alice.client.call(rpc2.NcReset(nc=2))
        second = nonce(alice, 2, 33)
    with refused(Result.INVALID_PARAMETER):
        alice.client.call(child(2, 1, second[1:], True))
    with refused(Result.INVALID_PARAMETER):
        alice.client.call(child(3, 2, first[:-1], False))
    alice.client.call(rpc2.NcReset(nc=1))
    alice.client.call(child(3, 2, first[:-1], False))
    alice.client.call(rpc2.EsaSelect(esa=3))
    assert len(keys(alice)) == len(set(keys(alice))) == 8


@GENERATIONS
@pytest.mark.parametrize("end", ["reset", "consumed"])
def test_own_nonces_of_before(make: Any, end: str) -> None:
    alice = talk_of(make)
    old = nonce(alice, 1)
    if end == "reset":
        alice.client.call(rpc2.NcReset(nc=1))
    else:
        alice.client.call(child(2, 1, bytes(32), True))
    nonce(alice, 2)
    with refused(Result.INVALID_PARAMETER):
        alice.client.call(child(3, 2, old, False))


@GENERATIONS
@pytest.mark.parametrize("end", ["in use", "reset"])
def test_own_public_values(make: Any, end: str) -> None:
    alice = make("alice")
    value = alice.client.call(rpc2.KeGet(ke=1, method=MODP_3072)).public_value
    if end == "reset":
        alice.client.call(rpc2.KeReset(ke=1))
    alice.client.call(rpc2.KeGet(ke=2, method=MODP_3072))
    with refused(Result.INVALID_PARAMETER):
        alice.client.call(rpc2.KeSet(ke=2, method=MODP_3072, public_value=value))


@GENERATIONS
def test_the_same_spi_in_both_directions(make: Any) -> None:
    alice = talk_of(make)
    nonce(alice, 1)
    request = child(2, 1, bytes(32), True)
    with refused(Result.INVALID_PARAMETER):
        alice.client.call(type(request)(**{**vars(request), "spi_rem": request.spi_loc}))
    alice.client.call(request)


@GENERATIONS
def test_the_same_ike_spi_in_both_directions(make: Any) -> None:
    talk = Conversation(make("alice"), sha1_host("bob"))
    talk.responder.spi = talk.initiator.spi
    with refused(Result.INVALID_PARAMETER):
        talk.ike_sa_init(MODP_3072)


def test_what_was_refused_before_keys_were_derived_is_not_used_up() -> None:
    talk = established()
    alice = talk.initiator.host
    first, second = nonce(alice, 1), nonce(alice, 2)
    with refused(Result.INVALID_PARAMETER):
        alice.client.call(child(2, 1, second, True))
    alice.client.call(child(2, 1, bytes(32), True))
    assert first != second


def test_the_memory_is_bounded() -> None:
    own = OwnValues(remembered=3)
    values = [bytes([number]) * 16 for number in range(10)]
    for value in values:
        own.give_nonce(value)
        own.retire_nonce(value)
    for value in values[:7]:
        own.refuse(value, "nonce")
    for value in values[7:]:
        with pytest.raises(InvalidParameter):
            own.refuse(value, "nonce")
    assert len(own._past) == 3
    assert not own._nonces
    assert not own._marks
    assert not own._lengths
