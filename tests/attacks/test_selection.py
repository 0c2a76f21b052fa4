# SPDX-License-Identifier: GPL-2.0-or-later
"""A Child SA receives as soon as it is created, and sends once it is selected; no sooner, no other.

The keys of the state that sends are the TKM's until then.
"""

from datetime import UTC, datetime, timedelta

import pytest

from tests.attacks.test_authentication_ends import Clock, alice_by, lasting
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.trusted import Host, host
from tkm.core.kinds import EspSa
from tkm.core.machine import CLEAN
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result
from tkm.xfrm.model import StateKeys

SPI_LOC, SPI_REM = b"\xc0\0\0\1", b"\xc0\0\0\2"
FIRST = rpc2.EsaCreateFirst(esa=1, isa=1, sp=1, ea=1, spi_loc=SPI_LOC, spi_rem=SPI_REM)
SELECT = rpc2.EsaSelect(esa=1)


def with_child(alice: Host) -> Host:
    """Alice with a first Child SA that is not selected."""
    talk = Conversation(alice, host("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth()
    alice.client.call(FIRST)
    return alice


def spis(alice: Host) -> set[bytes]:
    return {state.spi for state in alice.kernel.states}


def kept(alice: Host) -> StateKeys | None:
    """The keys that wait to be selected."""
    return alice.manager.contexts.store(EspSa)[1].outbound


def refused(alice: Host, request: rpc2.EsaSelect = SELECT) -> Result:
    with pytest.raises(Refused) as caught:
        alice.client.call(request)
    return caught.value.result


def are_wiped(keys: StateKeys | None) -> bool:
    return keys is not None and not len(keys.encryption) and not len(keys.integrity)


def test_it_receives_before_it_sends() -> None:
    alice = with_child(host("alice"))
    keys = kept(alice)
    assert spis(alice) == {SPI_LOC}
    alice.client.call(SELECT)
    assert spis(alice) == {SPI_LOC, SPI_REM}
    assert are_wiped(keys)
    assert kept(alice) is None


def test_selected_twice_the_kernel_is_asked_once() -> None:
    alice = with_child(host("alice"))
    alice.client.call(SELECT)
    alice.kernel.refuses = True
    alice.client.call(SELECT)
    assert spis(alice) == {SPI_LOC, SPI_REM}


def test_what_the_kernel_has_refused_it_is_not_given_again() -> None:
    alice = with_child(host("alice"))
    keys = kept(alice)
    alice.kernel.refuses = True
    assert refused(alice) is Result.KERNEL_FAILURE
    alice.kernel.refuses = False
    assert refused(alice) is Result.INVALID_STATE
    assert spis(alice) == {SPI_LOC}
    assert are_wiped(keys)
    alice.client.call(rpc2.EsaReset(esa=1))
    assert spis(alice) == set()


@pytest.mark.parametrize("reset", [rpc2.EsaReset(esa=1), rpc2.TkmReset()])
def test_nothing_is_left_to_select_after_a_reset(reset: rpc2.EsaReset | rpc2.TkmReset) -> None:
    alice = with_child(host("alice"))
    keys = kept(alice)
    alice.client.call(reset)
    assert spis(alice) == set()
    assert are_wiped(keys)
    assert refused(alice) is Result.INVALID_STATE
    assert alice.manager.contexts.store(EspSa)[1].state == CLEAN


def test_nothing_is_left_to_select_after_the_end() -> None:
    alice = with_child(host("alice"))
    keys = kept(alice)
    alice.manager.stop()
    assert are_wiped(keys)
    assert spis(alice) == set()


def test_a_kernel_that_refuses_to_receive_leaves_no_keys() -> None:
    alice = host("alice")
    talk = Conversation(alice, host("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth()
    alice.kernel.refuses = True
    with pytest.raises(Refused):
        alice.client.call(FIRST)
    assert kept(alice) is None
    alice.kernel.refuses = False
    assert refused(alice) is Result.INVALID_STATE


@pytest.mark.parametrize("esa", [2, 4096])
def test_another_one_is_not_selected(esa: int) -> None:
    alice = with_child(host("alice"))
    assert refused(alice, rpc2.EsaSelect(esa=esa)) is Result.INVALID_STATE
    assert spis(alice) == {SPI_LOC}


@pytest.mark.parametrize(
    ("authentication", "seconds"), [(0, 60), (20, 20)], ids=["hard lifetime", "authentication"]
)
def test_it_is_not_selected_after_its_time(authentication: int, seconds: int) -> None:
    """Kept back for long, its keys would live longer than the policy lets them."""
    for late in (0, 1):
        clock = Clock(datetime.now(UTC))
        alice = with_child(alice_by(clock, lasting(authentication)))
        clock.now += timedelta(seconds=seconds + late)
        if late:
            assert refused(alice) is Result.AUTH_FAILURE
        else:
            alice.client.call(SELECT)
        assert spis(alice) == ({SPI_LOC} if late else {SPI_LOC, SPI_REM})


def test_the_ike_sa_may_be_gone() -> None:
    """A Child SA outlives the IKE SA that made it, as when that is rekeyed."""
    alice = with_child(host("alice"))
    alice.client.call(rpc2.IsaReset(isa=1))
    alice.client.call(SELECT)
    assert spis(alice) == {SPI_LOC, SPI_REM}
