# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations out of order, twice, after a reset, for somebody else, without end."""

import os

from tests.attacks.process.attacker import Attacker
from tests.attacks.process.requests import (
    GENERATION_2,
    auth,
    child,
    complete,
    first,
    isa_create,
    no_pfs,
    nonce,
    ready_to_prove,
    sign,
)
from tests.unit.tkm.conversation import MODP_3072
from tkm.rpc import rpc2
from tkm.rpc.result import Result


def test_child_sas_of_nobody(on: Attacker) -> None:
    for prepare in (lambda: None, on.derived):
        on.client.call(rpc2.TkmReset())
        prepare()
        nonce(on)
        complete(on)
        alice = on.talk().initiator
        for request in (first(alice), no_pfs(alice, os.urandom(32)), child()):
            on.refused(request, Result.INVALID_STATE)
        on.refused(rpc2.IsaSkipCreateFirst(isa=1), Result.INVALID_STATE)


def test_child_sas_of_one_that_has_only_signed(on: Attacker) -> None:
    _, alice, *_ = ready_to_prove(on)
    nonce(on)
    complete(on)
    for request in (first(alice), no_pfs(alice, os.urandom(32)), child()):
        on.refused(request, Result.INVALID_STATE)


def test_first_child_sa_twice(on: Attacker) -> None:
    _, alice, _ = on.authenticated()
    on.client.call(first(alice))
    on.refused(first(alice, esa=2), Result.INVALID_STATE)
    on.refused(rpc2.IsaSkipCreateFirst(isa=1), Result.INVALID_STATE)


def test_first_child_sa_after_it_was_skipped(on: Attacker) -> None:
    _, alice, _ = on.active()
    on.refused(first(alice), Result.INVALID_STATE)


def test_first_child_sa_by_a_successor(on: Attacker) -> None:
    _, alice, _ = on.active()
    complete(on)
    nonce(on)
    on.client.call(child())
    on.refused(first(alice, isa=2), Result.INVALID_STATE)


def test_first_child_sa_that_the_kernel_refuses(on: Attacker) -> None:
    _, alice, _ = on.active(number=2)
    nonce(on)
    standing = no_pfs(alice, os.urandom(32))
    on.client.call(standing)
    _, alice, _ = on.authenticated()
    spis = {"spi_loc": standing.spi_loc, "spi_rem": standing.spi_rem}
    on.refused(first(alice, **spis))
    on.refused(first(alice), Result.INVALID_STATE)


def test_policies_of_somebody_else(on: Attacker) -> None:
    _, alice, _ = on.authenticated()
    for policy in (2, 3, 100):
        on.refused(first(alice, sp=policy), Result.AUTH_FAILURE, Result.INVALID_ID)
    on.client.call(rpc2.IsaSkipCreateFirst(isa=1))
    nonce(on)
    for policy in (2, 3, 100):
        on.refused(no_pfs(alice, os.urandom(32), sp=policy))
    for number in (2, 100):
        on.refused(no_pfs(alice, os.urandom(32), ea=number), Result.INVALID_ID)


def test_contexts_that_were_reset(on: Attacker) -> None:
    _, alice, _ = on.active()
    nonce(on)
    complete(on)
    on.client.call(rpc2.AeReset(ae=1))
    for request in (no_pfs(alice, os.urandom(32)), child()):
        on.refused(request, Result.INVALID_STATE)
    on.client.call(rpc2.IsaReset(isa=1))
    on.refused(sign(alice, on, alice.init_message), Result.INVALID_STATE)


def test_an_endpoint_under_the_number_of_another(on: Attacker) -> None:
    """The IKE SA keeps the endpoint that it had, and not the one that has its number now."""
    _, orphan, _ = on.derived()
    on.client.call(rpc2.AeReset(ae=1))
    talk = on.talk()
    talk.initiator.isa = talk.responder.isa = 2
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth(on.hashes)
    on.refused(first(orphan, isa=1), Result.INVALID_STATE)
    on.refused(rpc2.IsaSkipCreateFirst(isa=1), Result.INVALID_STATE)
    on.refused(sign(orphan, on, orphan.init_message), Result.INVALID_STATE)
    on.client.call(first(talk.initiator, isa=2))


def test_after_the_reset_of_all(on: Attacker) -> None:
    _, alice, bob, _, bobs = ready_to_prove(on)
    on.client.call(rpc2.TkmReset())
    nonce(on)
    complete(on)
    for request in (
        first(alice), no_pfs(alice, os.urandom(32)), child(), sign(alice, on, b"x" * 100),
        auth(on, alice, bob, bobs), rpc2.IsaSkipCreateFirst(isa=1),
        rpc2.EsaSelect(esa=1),
    ):  # fmt: skip
        on.refused(request, Result.INVALID_STATE)


def test_contexts_that_are_in_use(on: Attacker) -> None:
    on.active()
    complete(on)
    nonce(on)
    for numbers in ((1, 2), (2, 1), (1, 1)):
        on.refused(isa_create(isa=numbers[0], ae=numbers[1]), Result.INVALID_STATE)
    for request in (child(isa=1), child(isa=3, parent=3), child(isa=3, parent=4)):
        on.refused(request, Result.INVALID_STATE)


@GENERATION_2
def test_updates_after_the_signature(on: Attacker) -> None:
    talk, alice, bob = on.derived()
    message = talk.intermediate_message(alice)
    talk.sign(alice)
    complete(on)
    on.refused(rpc2.IsaIntAuth(isa=1, verify=False, message=message), Result.INVALID_STATE)
    on.refused(rpc2.IsaUpdate(isa=1, ke=1), Result.INVALID_STATE)
    talk.sign(bob)


@GENERATION_2
def test_intermediate_messages_of_one_side(on: Attacker) -> None:
    for peers in (False, True):
        on.client.call(rpc2.TkmReset())
        talk, alice, bob = on.derived()
        message = talk.intermediate_message(bob if peers else alice)
        on.refused(rpc2.IsaIntAuth(isa=1, verify=not peers, message=message))
        on.client.call(rpc2.IsaIntAuth(isa=1, verify=peers, message=message))
        on.refused(rpc2.IsaIntAuth(isa=1, verify=peers, message=message))
        on.refused(sign(alice, on, alice.init_message), Result.INVALID_STATE)


def test_child_sas_without_end(on: Attacker) -> None:
    _, alice, _ = on.active()
    for number in range(1, 33):
        nonce(on)
        on.client.call(no_pfs(alice, os.urandom(32), esa=number))
    nonce(on)
    on.refused(no_pfs(alice, os.urandom(32), esa=33), Result.QUOTA_EXCEEDED)
    # In generation 1 the first one of a policy sends before it is selected.
    assert len(on.states) == (33 if on.generation == 1 else 32)


def test_the_highest_numbers(on: Attacker) -> None:
    most = on.client.call(rpc2.TkmLimits())
    assert (most.nc, most.esa) == ((100, 100) if on.generation == 1 else (4096, 4096))
    for number in (most.nc + 1, 1 << 16, (1 << 32) - 1):
        on.refused(rpc2.NcCreate(nc=number, length=32), Result.INVALID_ID)
        on.refused(rpc2.EsaReset(esa=number), Result.INVALID_ID)
        on.refused(isa_create(isa=number), Result.INVALID_ID)
