# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever an operation raises half-way, contexts are as they were and no secret is left over."""

from typing import Any

import pytest

from tkm.core.kinds import IkeSa, KeyExchange, Nonce
from tkm.core.machine import Contexts
from tkm.core.operations import OPERATIONS
from tkm.core.own import OwnValues
from tkm.crypto.secret import Secret
from tkm.errors import InvalidParameter
from tkm.rpc import rpc2

LIMIT = 10
FAULTS = [MemoryError, RecursionError, ValueError, KeyboardInterrupt]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_assigned_half_way_is_undone_and_wiped(fault: Any) -> None:
    contexts = Contexts(Nonce, KeyExchange, IkeSa, limit=LIMIT)
    begun = contexts.store(KeyExchange)[1]
    begun.state, begun.method = "remote", 15
    contexts.store(KeyExchange)[1] = begun
    shared = Secret(bytearray(b"shared secret"))
    kept = shared.octets

    def half_way(_request: Any, ke: Any) -> None:
        ke.shared, ke.method = shared, 16
        raise fault

    request = rpc2.KeGet(ke=1, method=15)
    with pytest.raises(fault):
        contexts.perform(OPERATIONS[request.operation], request, half_way)
    assert list(contexts) == [begun]
    assert (begun.state, begun.method, begun.shared) == ("remote", 15, None)
    assert not any(kept)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_context_that_was_clean_is_clean_again(fault: Any) -> None:
    contexts = Contexts(Nonce, limit=LIMIT)

    def half_way(_request: Any, nc: Any) -> None:
        nc.octets = b"nonce"
        raise fault

    request = rpc2.NcCreate(nc=1, length=16)
    with pytest.raises(fault):
        contexts.perform(OPERATIONS[request.operation], request, half_way)
    assert list(contexts) == []


def test_contexts_that_cannot_all_be_kept_are_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = Contexts(Nonce, limit=LIMIT)
    store = contexts.store(Nonce)

    def no_memory(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(type(store), "__setitem__", no_memory)
    request = rpc2.NcCreate(nc=1, length=16)
    with pytest.raises(MemoryError):
        contexts.perform(OPERATIONS[request.operation], request, lambda _request, nc: nc)
    assert list(contexts) == []


def test_nothing_is_final_before_the_end_of_the_block_and_a_nonce_is_taken_back() -> None:
    contexts, own = Contexts(Nonce, limit=LIMIT), OwnValues()
    octets = bytes(range(32))

    def give(_request: Any, nc: Any) -> None:
        nc.give(octets, own)

    def no_reply() -> None:
        request = rpc2.NcCreate(nc=1, length=32)
        with contexts.all_or_nothing():
            contexts.perform(OPERATIONS[request.operation], request, give)
            assert [nc.state for nc in contexts] == ["created"]
            raise MemoryError

    with pytest.raises(MemoryError):
        no_reply()
    assert list(contexts) == []
    # It is not counted among those that may still be consumed, but still refused as the peer's.
    own.check_nonces(bytes(32), bytes(32), octets + bytes(32))
    with pytest.raises(InvalidParameter):
        own.refuse(octets, "nonce")
