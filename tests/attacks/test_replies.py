# SPDX-License-Identifier: GPL-2.0-or-later
"""A reply that cannot be encoded or framed: the operation has not happened, in both generations.

The fault strikes after the handler is done. Each operation that has a reply is tried with each
fault, at each place, where the request would be granted.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.tkm.charon import host1
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.snapshot import picture, snapshot
from tests.unit.trusted import Host, host
from tkm.core.kinds import IkeSa
from tkm.rpc import rpc2
from tkm.rpc.interface import FixedFrames, SizedFrames
from tkm.rpc.record import Record
from tkm.rpc.result import FieldError, FrameError, Refused, Result

FAULTS = {
    "value": (FieldError("too long"), Result.INVALID_PARAMETER),
    "frame": (FrameError("too long"), Result.ABORTED),
    "memory": (MemoryError(), Result.ABORTED),
}


class Broken:
    """Makes the next reply impossible."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, place: str, fault: Exception) -> None:
        self._fault: Exception | None = None
        self._next = fault
        self.monkeypatch = monkeypatch
        if place == "encode":
            for reply in Record.__subclasses__():
                if reply.__name__.endswith("Reply"):
                    monkeypatch.setattr(reply, "encode", self._failing(reply.encode))
        else:
            for frames in (SizedFrames, FixedFrames):
                monkeypatch.setattr(frames, "response", self._failing(frames.response))

    def _failing(self, made: Callable[..., bytearray]) -> Callable[..., bytearray]:
        def fail(*arguments: Any) -> bytearray:
            fault, self._fault = self._fault, None
            if fault:
                raise fault
            return made(*arguments)

        return fail

    def attempt(self, alice: Host, request: Any) -> Result:
        """Ask, and fail at the reply."""
        self._fault = self._next
        with pytest.raises(Refused) as refused:
            alice.client.call(request)
        assert self._fault is None, "no reply was made"
        return refused.value.result


@pytest.fixture(params=[host, host1], ids=["generation 2", "generation 1"])
def make(request: pytest.FixtureRequest) -> Callable[[str], Host]:
    made: Callable[[str], Host] = request.param
    return made


@pytest.mark.parametrize("place", ["encode", "response"])
@pytest.mark.parametrize("kind", FAULTS)
def test_an_operation_whose_reply_fails_has_not_happened(
    make: Callable[[str], Host], place: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, result = FAULTS[kind]
    talk = Conversation(make("alice"), make("bob"))
    alice, bob = talk.ends
    broken = Broken(monkeypatch, place, fault)

    def refused(request: Any) -> None:
        before = snapshot(alice.host)
        assert broken.attempt(alice.host, request) is result
        assert snapshot(alice.host) == before, request.operation

    refused(rpc2.NcCreate(nc=9, length=32))
    refused(rpc2.KeGet(ke=9, method=MODP_3072))
    if place == "response":
        refused(rpc2.NcReset(nc=9))
    talk.exchange_keys(MODP_3072)
    if place == "response":
        refused(rpc2.NcReset(nc=1))
    for end, other in talk.pairs():
        talk.derive(end, other, MODP_3072)
    talk.ike_auth()
    talk.skip_first()
    talk.exchange_keys(MODP_3072)
    request = rpc2.IsaCreateChild(
        isa=2, parent=1, ia=1, ke=(1,), nc_loc=1, nonce_rem=bob.nonce, initiator=True,
        spi_loc=b"newspi 1", spi_rem=b"newspi 2",
    )  # fmt: skip
    before = picture(alice.host)
    keys = [bytes(key.octets) for key in isa_keys(alice.host, 1)]
    assert broken.attempt(alice.host, request) is result
    # Keys were derived: what they came from is used up, and nothing else has changed.
    assert before.keys() - picture(alice.host).keys() == {("nc", 1), ("ke", 1)}
    assert picture(alice.host).items() <= before.items()
    assert [bytes(key.octets) for key in isa_keys(alice.host, 1)] == keys


def isa_keys(alice: Host, number: int) -> Any:
    return alice.manager.contexts.store(IkeSa)[number].secret_keys
