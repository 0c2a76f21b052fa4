# SPDX-License-Identifier: GPL-2.0-or-later
"""One authenticated peer takes all it can get; another one still gets its SAs."""

import os

import pytest

from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.test_preconditions import refused
from tests.unit.trusted import host
from tkm.core.kinds import Endpoint, EspSa, IkeSa
from tkm.core.machine import Contexts
from tkm.core.quota import LEAST, QUOTAS, Quotas
from tkm.errors import QuotaExceeded
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result


def fill(talk: Conversation) -> int:
    """Child SAs without end: how many there are when one is refused."""
    alice, count = talk.initiator, 1
    while count < 1000:
        spi = os.urandom(3)
        alice.call(rpc2.NcCreate(nc=1, length=32))
        request = rpc2.EsaCreateNoPfs(
            esa=count + 1, isa=1, sp=1, ea=1, nc_loc=1, nonce_rem=os.urandom(32), initiator=True,
            spi_loc=b"\xc0" + spi, spi_rem=b"\xc1" + spi,
        )  # fmt: skip
        try:
            alice.call(request)
        except Refused as refusal:
            assert refusal.result is Result.QUOTA_EXCEEDED  # noqa: PT017
            alice.call(rpc2.NcReset(nc=1))
            return count
        count += 1
    raise AssertionError("there is no end")


def started() -> Conversation:
    return Conversation(host("alice"), host("bob")).start(MODP_3072)


def test_child_sas_of_one_policy_have_an_end_and_a_successor_takes_a_place() -> None:
    talk = started()
    assert fill(talk) == QUOTAS[EspSa]
    assert len(talk.initiator.host.kernel.pairs) == QUOTAS[EspSa]
    talk.initiator.call(rpc2.EsaReset(esa=3))
    talk.initiator.call(rpc2.NcCreate(nc=1, length=32))
    talk.initiator.call(
        rpc2.EsaCreateNoPfs(
            esa=3, isa=1, sp=1, ea=1, nc_loc=1, nonce_rem=bytes(32), initiator=True,
            spi_loc=b"\xc2\0\0\1", spi_rem=b"\xc2\0\0\2",
        )
    )  # fmt: skip


def test_authentications_of_one_policy_have_an_end() -> None:
    alice, bob = host("alice"), host("bob")
    for number in range(1, QUOTAS[Endpoint] + 1):
        talk = Conversation(alice, bob, isa=number, ae=number)
        talk.ike_sa_init(MODP_3072)
        talk.ike_auth()
    talk = Conversation(alice, bob, isa=99, ae=99)
    talk.ike_sa_init(MODP_3072)
    with refused(Result.QUOTA_EXCEEDED):
        talk.ike_auth()
    # One that ends makes room for the next.
    for end in talk.ends:
        end.call(rpc2.IsaReset(isa=1))
        end.call(rpc2.AeReset(ae=1))
        end.call(rpc2.CcReset(cc=1))
        end.call(rpc2.IsaReset(isa=99))
        end.call(rpc2.AeReset(ae=99))
    talk = Conversation(alice, bob, isa=99, ae=99)
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth()


def test_rekeyings_of_one_policy_have_an_end() -> None:
    talk = started()

    def rekey(isa: int) -> None:
        talk.exchange_keys(MODP_3072)
        talk.initiator.call(
            rpc2.IsaCreateChild(
                isa=isa, parent=1, ia=1, ke=(1,), nc_loc=1, nonce_rem=os.urandom(32),
                initiator=True, spi_loc=os.urandom(8), spi_rem=os.urandom(8),
            )
        )  # fmt: skip
        talk.responder.call(rpc2.NcReset(nc=1))
        talk.responder.call(rpc2.KeReset(ke=1))

    for isa in range(2, QUOTAS[IkeSa] + 1):
        rekey(isa)
    with refused(Result.QUOTA_EXCEEDED):
        rekey(999)


def test_another_policy_is_not_locked_out() -> None:
    contexts = Contexts(EspSa, limit=100)
    quotas = Quotas(contexts, policies=20, limit=100)
    for number in range(1, 6):
        esa = EspSa(number)
        esa.state, esa.sp = "active", 1
        contexts.store(EspSa).settle(esa)
    with pytest.raises(QuotaExceeded, match="policy 1 has 5 esa"):
        quotas.check(EspSa, 1)
    quotas.check(EspSa, 2)


def test_all_policies_together_leave_room() -> None:
    assert all(100 * most < 4096 for most in QUOTAS.values())
    assert min(QUOTAS.values()) >= LEAST


def test_refusing_changes_nothing() -> None:
    talk = started()
    fill(talk)
    before = set(talk.initiator.host.kernel.states)
    talk.initiator.call(rpc2.NcCreate(nc=1, length=32))
    request = rpc2.EsaCreateNoPfs(
        esa=999, isa=1, sp=1, ea=1, nc_loc=1, nonce_rem=bytes(32), initiator=True,
        spi_loc=b"\xc2\0\0\1", spi_rem=b"\xc2\0\0\2",
    )  # fmt: skip
    for _ in range(2):
        with refused(Result.QUOTA_EXCEEDED):
            talk.initiator.call(request)
    assert talk.initiator.host.kernel.states == before
