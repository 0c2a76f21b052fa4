# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of the engine that decide something on their own."""

from itertools import product
from typing import Any

import pytest

from ike.address import Endpoint, Network, Path, pack, unpack
from ike.config import proposals
from ike.engine import nat, negotiation, selectors
from ike.engine.route import Nats
from ike.engine.states import CHILD_SA, IKE_SA, ChildState, ChildTrigger, State, Trigger, advance
from ike.engine.window import Requests, Responses, Retransmission
from ike.errors import LocalError
from ike.message.errors import InvalidKePayload, NoProposalChosen, TsUnacceptable
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import Protocol
from ike.message.payloads import KeyExchange, SecurityAssociation
from ike.message.substructures import Proposal, TrafficSelector, Transform

AES, PRF, SHA = Transform(1, 12, 256), Transform(2, 7), Transform(3, 14)
MODP3072, MODP4096 = Transform(4, 15), Transform(4, 16)
NO_ESN, ESN = Transform(5, 0), Transform(5, 1)
SUITES = proposals.parse("aes256-sha512-modp4096,aes256-sha512-modp3072", Protocol.IKE)
ESP = proposals.parse("aes256-sha512", Protocol.ESP)
HEADER = Header(bytes(range(8)), bytes(8), 34, True, False, 0)


def offered(*suites: tuple[Transform, ...], spi: bytes = b"", protocol: int = 1) -> Any:
    return SecurityAssociation(
        tuple(Proposal(n, protocol, spi, suite) for n, suite in enumerate(suites, start=1))
    )


# Proposals


def test_our_preference_wins() -> None:
    theirs = offered((AES, PRF, SHA, MODP3072, MODP4096))
    chosen = negotiation.choose(SUITES, theirs, Protocol.IKE, 0)
    assert set(chosen.transforms) == {AES, PRF, SHA, MODP4096}
    assert negotiation.group_of(chosen) == 16


def test_the_answer_repeats_the_number() -> None:
    theirs = offered((AES, PRF, SHA, Transform(4, 31)), (AES, PRF, SHA, MODP3072))
    chosen = negotiation.choose(SUITES, theirs, Protocol.IKE, 0)
    assert (chosen.number, negotiation.group_of(chosen)) == (2, 15)


@pytest.mark.parametrize(
    "theirs",
    [
        offered((AES, PRF, SHA)),
        offered((AES, PRF, SHA, Transform(4, 14))),
        offered((Transform(1, 12, 128), PRF, SHA, MODP4096)),
        offered((Transform(1, 12), PRF, SHA, MODP4096)),
        offered((Transform(1, 12, 256, ((0x800F, b"\0\1"),)), PRF, SHA, MODP4096)),
        offered((AES, PRF, SHA, MODP4096, Transform(9, 1))),
        offered((AES, PRF, SHA, MODP4096, Transform(6, 35))),
        offered((AES, PRF, SHA, MODP4096), spi=bytes(8)),
        offered((AES, PRF, SHA, MODP4096), protocol=3),
    ],
)
def test_nothing_acceptable(theirs: SecurityAssociation) -> None:
    with pytest.raises(NoProposalChosen):
        negotiation.choose(SUITES, theirs, Protocol.IKE, 0)


def test_what_the_peer_can_go_without() -> None:
    theirs = offered((AES, PRF, SHA, MODP4096, Transform(6, 35), Transform(6, 0)))
    chosen = negotiation.choose(SUITES, theirs, Protocol.IKE, 0)
    assert set(chosen.transforms) == {AES, PRF, SHA, MODP4096}


def test_esp_without_a_key_exchange() -> None:
    theirs = offered((AES, SHA, NO_ESN, ESN), spi=bytes(4), protocol=3)
    chosen = negotiation.choose(ESP, theirs, Protocol.ESP, 4)
    assert set(chosen.transforms) == {AES, SHA, NO_ESN}
    assert negotiation.group_of(chosen) == 0


OFFER = negotiation.offer(SUITES, Protocol.IKE)


def test_an_answer_that_we_have_offered() -> None:
    answer = SecurityAssociation((Proposal(2, 1, b"", SUITES[1]),))
    assert negotiation.check(OFFER, answer, 0).transforms == SUITES[1]


@pytest.mark.parametrize(
    "answer",
    [
        OFFER,
        SecurityAssociation((Proposal(3, 1, b"", SUITES[1]),)),
        SecurityAssociation((Proposal(1, 1, b"", SUITES[1]),)),
        SecurityAssociation((Proposal(1, 3, b"", SUITES[0]),)),
        SecurityAssociation((Proposal(1, 1, bytes(8), SUITES[0]),)),
        SecurityAssociation((Proposal(1, 1, b"", SUITES[0][1:]),)),
        SecurityAssociation((Proposal(1, 1, b"", (*SUITES[0], SUITES[0][0])),)),
    ],
)
def test_an_answer_that_we_have_not_offered(answer: SecurityAssociation) -> None:
    with pytest.raises(NoProposalChosen):
        negotiation.check(OFFER, answer, 0)


def test_public_value_of_another_group() -> None:
    message = Message(HEADER, (KeyExchange(15, b"x"),))
    with pytest.raises(InvalidKePayload) as caught:
        negotiation.public_value(message, 16)
    assert caught.value.data == b"\x00\x10"


# Traffic selectors


def ts(text: str, protocol: int = 0, ports: tuple[int, int] = (0, 65535)) -> TrafficSelector:
    network = Network.parse(text)
    kind = 7 if len(network.first) == 4 else 8
    return TrafficSelector(kind, protocol, *ports, network.first, network.last)


@pytest.mark.parametrize(
    ("ours", "theirs", "common"),
    [
        ("10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16"),
        ("10.1.0.0/16", "10.0.0.0/8", "10.1.0.0/16"),
        ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("fd00::/16", "fd00::1", "fd00::1"),
    ],
)
def test_narrowing(ours: str, theirs: str, common: str) -> None:
    assert selectors.narrow((ts(ours),), (ts(theirs),)) == (ts(common),)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ts("10.0.0.1"), ts("10.0.0.2")),
        (ts("10.0.0.0/8"), ts("fd00::/8")),
        (ts("10.0.0.1", 6), ts("10.0.0.1", 17)),
        (ts("10.0.0.1", 6, (1, 9)), ts("10.0.0.1", 6, (10, 20))),
    ],
)
def test_nothing_in_common(one: TrafficSelector, other: TrafficSelector) -> None:
    for ours, theirs in ((one, other), (other, one)):
        with pytest.raises(TsUnacceptable):
            selectors.narrow((ours,), (theirs,))


def test_narrowing_of_protocol_and_ports() -> None:
    narrowed = selectors.narrow((ts("10.0.0.0/8"),), (ts("10.0.0.1", 6, (80, 90)),))
    assert narrowed == (ts("10.0.0.1", 6, (80, 90)),)


def test_the_same_is_not_said_twice() -> None:
    twice = (ts("10.0.0.1"), ts("10.0.0.1"))
    assert selectors.narrow((ts("10.0.0.0/8"),), twice) == (ts("10.0.0.1"),)


def test_is_within() -> None:
    assert selectors.is_within((ts("10.0.0.1"),), (ts("10.0.0.0/8"),))
    assert not selectors.is_within((ts("10.0.0.0/8"),), (ts("10.0.0.1"),))
    assert not selectors.is_within((), (ts("10.0.0.1"),))


def test_dynamic_selectors_are_the_host() -> None:
    assert selectors.configured(None, "10.0.0.1") == (ts("10.0.0.1"),)
    assert selectors.configured((Network.parse("10.0.0.0/8"),), "x") == (ts("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (ts("10.0.0.1"), "10.0.0.1/32"),
        (ts("0.0.0.0/0"), "0.0.0.0/0"),
        (ts("10.0.0.1", 6, (80, 80)), "10.0.0.1/32[6/80-80]"),
        (TrafficSelector(7, 0, 0, 65535, bytes((1, 1, 1, 1)), bytes((1, 1, 1, 3))),
         "1.1.1.1..1.1.1.3"),
    ],
)  # fmt: skip
def test_selectors_are_spelled(selector: TrafficSelector, text: str) -> None:
    assert selectors.spell((selector,)) == text


# Addresses and NAT


@pytest.mark.parametrize("text", ["10.0.0.1", "fd00::1"])
def test_addresses(text: str) -> None:
    assert unpack(pack(text)) == text


@pytest.mark.parametrize("text", ["10.0.0", "fd00:::1", "host", ""])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        pack(text)


def test_nat_is_detected_where_it_is() -> None:
    alice, bob = Endpoint("10.0.0.1", 500), Endpoint("10.0.0.2", 500)
    spis = HEADER.spi_i, HEADER.spi_r
    message = Message(HEADER, tuple(nat.payloads(spis, Path(alice, bob))))
    assert nat.detect(message, Path(bob, alice)) == Nats()
    translated = Endpoint("192.0.2.1", 1024)
    assert nat.detect(message, Path(bob, translated)) == Nats(remote=True)
    assert nat.detect(message, Path(translated, alice)) == Nats(local=True)
    assert nat.detect(Message(HEADER, ()), Path(bob, alice)) is None
    faked = Message(HEADER, tuple(nat.payloads(spis, Path(alice, bob), faked=True)))
    assert nat.detect(faked, Path(bob, alice)) == Nats(remote=True)


# States


@pytest.mark.parametrize(("state", "trigger"), list(product(State, Trigger)))
def test_ike_sa_states(state: State, trigger: Trigger) -> None:
    target = IKE_SA[state].get(trigger)
    if target:
        assert advance(IKE_SA, state, trigger) is target
    else:
        with pytest.raises(LocalError, match="impossible while"):
            advance(IKE_SA, state, trigger)


@pytest.mark.parametrize("state", [state for state in State if state is not State.GONE])
def test_every_ike_sa_can_end(state: State) -> None:
    assert IKE_SA[state][Trigger.CLOSE] is State.GONE
    assert not IKE_SA[State.GONE]


@pytest.mark.parametrize("state", [s for s in ChildState if s is not ChildState.GONE])
def test_every_child_sa_can_end(state: ChildState) -> None:
    assert CHILD_SA[state][ChildTrigger.CLOSE] is ChildState.GONE
    assert not CHILD_SA[ChildState.GONE]


# The window


def test_requests_are_repeated_and_given_up() -> None:
    requests = Requests(Retransmission(first=1.0, factor=2.0, tries=3))
    requests.send((b"request",), 100.0)
    times = []
    while requests.deadline is not None:
        now = requests.deadline
        times.append(now)
        assert requests.repeat(now) == ((b"request",) if len(times) <= 3 else ())
    assert times == [101.0, 103.0, 107.0, 115.0]
    assert not requests.awaits(0)


def test_a_response_ends_repetition() -> None:
    requests = Requests(Retransmission())
    assert not requests.awaits(0)
    requests.send((b"request",), 0.0)
    assert requests.awaits(0)
    assert not requests.awaits(1)
    requests.answered()
    assert (requests.next_id, requests.deadline) == (1, None)


def test_only_the_very_request_is_answered_again() -> None:
    responses = Responses()
    responses.answer((b"first",), (b"one",))
    responses.answer((b"second",), (b"two",))
    assert responses.expected == 2
    assert responses.repeated(1, b"second") == (b"two",)
    assert responses.repeated(1, b"forged") == ()
    assert responses.repeated(0, b"first") == ()
