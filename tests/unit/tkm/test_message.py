# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reader takes for an IKE message that AUTH covers, and what it does not."""

import random
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tkm import forged_messages
from tests.unit.tkm.charon import host1
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.messages import (
    COOKIE,
    KE,
    NO_SPI,
    NONCE,
    NOTIFY,
    SA,
    SK,
    VENDOR,
    chain,
    flags,
    header,
    init_message,
    init_payloads,
    intermediate_message,
)
from tests.unit.tkm.test_preconditions import refused
from tests.unit.trusted import host, sha1_host
from tkm.core.message import Half, check_init, check_intermediate, check_one_meaning
from tkm.errors import InvalidParameter
from tkm.rpc import rpc2
from tkm.rpc.result import Result

OURS = Half(b"our spi!", 15, bytes(range(200)), b"n" * 32)
PEERS = Half(b"the peer", 15, bytes(range(1, 200)), b"p" * 32)
ROLES = pytest.mark.parametrize("by_initiator", [True, False], ids=["request", "response"])
GENERATIONS = pytest.mark.parametrize("make", [sha1_host, host1], ids=["2", "1"])
NO_SUCH = 200
"""A payload type that RFC 7296 does not know."""


def check(message: bytes, by_initiator: bool) -> None:
    check_init(message, OURS, PEERS, by_initiator=by_initiator)


def build(by_initiator: bool, payloads: Any = None) -> bytes:
    return init_message(OURS, PEERS.spi, by_initiator=by_initiator, payloads=payloads)


def is_refused(message: bytes, by_initiator: bool) -> None:
    with pytest.raises(InvalidParameter):
        check(message, by_initiator)


@ROLES
def test_what_is_right(by_initiator: Any) -> None:
    cookie = (NOTIFY, struct.pack(">BBH", 0, 0, COOKIE) + bytes(20))
    more = [(VENDOR, b"vendor"), (38, b"\4" + bytes(20)), (NO_SUCH, b"future")]
    parts = init_payloads(OURS)
    for payloads in (parts, [cookie, *parts], [*parts, *more], parts[::-1], [(53, b""), *parts]):
        check(build(by_initiator, payloads), by_initiator)


@ROLES
@pytest.mark.parametrize(
    ("at", "octets"),
    [
        (0, b"another "), (8, b"somebody"), (17, b"\x10"), (17, b"\x21"), (18, b"\x23"),
        (19, b"\x00"), (19, b"\x28"), (19, b"\x30"), (20, b"\0\0\0\1"), (24, b"\0\0\0\x1c"),
        (16, b"\0"), (16, b"\x22"),
    ],
)  # fmt: skip
def test_another_header(by_initiator: Any, at: int, octets: bytes) -> None:
    message = bytearray(build(by_initiator))
    message[at : at + len(octets)] = octets
    is_refused(bytes(message), by_initiator)


@ROLES
def test_the_other_direction(by_initiator: Any) -> None:
    is_refused(build(not by_initiator), by_initiator)
    peers = init_message(PEERS, OURS.spi, by_initiator=by_initiator)
    is_refused(peers, by_initiator)


def test_a_request_that_names_a_responder() -> None:
    body = chain(init_payloads(OURS))
    is_refused(header((OURS.spi, PEERS.spi), SA, 34, 8, 0, 28 + len(body)) + body, True)


def test_a_response_that_names_none() -> None:
    body = chain(init_payloads(OURS))
    is_refused(header((PEERS.spi, NO_SPI), SA, 34, 32, 0, 28 + len(body)) + body, False)


@ROLES
@pytest.mark.parametrize("kind", [SA, KE, NONCE])
def test_a_payload_that_is_missing_or_there_twice(by_initiator: Any, kind: Any) -> None:
    parts = init_payloads(OURS)
    is_refused(build(by_initiator, [part for part in parts if part[0] != kind]), by_initiator)
    (one,) = [part for part in parts if part[0] == kind]
    is_refused(build(by_initiator, [*parts, one]), by_initiator)


@ROLES
@pytest.mark.parametrize("kind", [35, 36, 37, 39, 42, 44, 45, SK, 47, 48])
def test_a_payload_of_another_exchange(by_initiator: Any, kind: Any) -> None:
    is_refused(build(by_initiator, [*init_payloads(OURS), (kind, bytes(20))]), by_initiator)


@ROLES
def test_a_critical_payload_that_nobody_knows(by_initiator: Any) -> None:
    body = chain([*init_payloads(OURS), (NO_SUCH, b"future")], critical=0x80)
    spis = (OURS.spi, NO_SPI) if by_initiator else (PEERS.spi, OURS.spi)
    message = header(spis, SA, 34, flags(by_initiator), 0, 28 + len(body)) + body
    is_refused(message, by_initiator)


@ROLES
@pytest.mark.parametrize(
    "half",
    [
        OURS._replace(method=16),
        OURS._replace(public_value=OURS.public_value[:-1]),
        OURS._replace(public_value=OURS.public_value + b"\0"),
        OURS._replace(public_value=PEERS.public_value),
        OURS._replace(nonce=PEERS.nonce),
        OURS._replace(nonce=OURS.nonce + b"n"),
    ],
)
def test_what_did_not_go_into_the_keys(by_initiator: Any, half: Any) -> None:
    message = init_message(half, PEERS.spi, by_initiator=by_initiator)
    is_refused(message, by_initiator)


@ROLES
def test_any_cut_and_any_more(by_initiator: Any) -> None:
    message = build(by_initiator)
    for end in range(len(message)):
        is_refused(message[:end], by_initiator)
        if end >= 28:  # whatever the header says of the length
            head = message[:24] + struct.pack(">I", end)
            is_refused(head + message[28:end], by_initiator)
    is_refused(message + b"\0", by_initiator)
    longer = message[:24] + struct.pack(">I", len(message) + 4) + message[28:] + b"\0\0\0\4"
    is_refused(longer, by_initiator)


@ROLES
@pytest.mark.parametrize("length", [0, 1, 3, 5, 0xFFFF])
def test_lengths_of_payloads(by_initiator: Any, length: int) -> None:
    message = bytearray(build(by_initiator))
    message[30:32] = struct.pack(">H", length)
    is_refused(bytes(message), by_initiator)


@given(st.binary(max_size=400), st.booleans())
def test_noise(octets: Any, by_initiator: Any) -> None:
    is_refused(octets, by_initiator)
    with pytest.raises(InvalidParameter):
        check_intermediate(octets, (OURS.spi, PEERS.spi), 1, by_initiator=by_initiator)


@given(st.data(), st.booleans())
def test_one_octet_changed_in_what_matters(data: Any, by_initiator: Any) -> None:
    """Header, chain, key exchange and nonce: no octet of them may be another one."""
    message = bytearray(build(by_initiator))
    at = data.draw(st.integers(0, len(message) - 1))
    # An SA payload is not looked into; reserved bits and octets are the sender's (2.5).
    if 32 <= at < 72 or at in (29, 73, 78, 79, 281):
        return
    message[at] ^= data.draw(st.integers(1, 255))
    is_refused(bytes(message), by_initiator)


SPIS = (OURS.spi, PEERS.spi)
INSIDE = [(KE, b"\0\x0f\0\0" + bytes(30))]


@ROLES
def test_intermediate_messages(by_initiator: Any) -> None:
    for number in (1, 2):
        for inside in (INSIDE, [*INSIDE, (VENDOR, b"more")]):
            message = intermediate_message(SPIS, number, by_initiator=by_initiator, inside=inside)
            check_intermediate(message, SPIS, number, by_initiator=by_initiator)
            for spis, expected, role in (
                (SPIS[::-1], number, by_initiator),
                (SPIS, number + 1, by_initiator),
                (SPIS, number, not by_initiator),
            ):
                with pytest.raises(InvalidParameter):
                    check_intermediate(message, spis, expected, by_initiator=role)


@ROLES
def test_intermediate_messages_end_exactly(by_initiator: Any) -> None:
    message = intermediate_message(SPIS, 1, by_initiator=by_initiator, inside=INSIDE)
    for end in range(len(message)):
        head = message[:24] + struct.pack(">I", end)
        with pytest.raises(InvalidParameter):
            check_intermediate(head + message[28:end], SPIS, 1, by_initiator=by_initiator)
    unprotected = header(SPIS, KE, 43, flags(by_initiator), 1, 28 + len(chain(INSIDE)))
    with pytest.raises(InvalidParameter):
        check_intermediate(unprotected + chain(INSIDE), SPIS, 1, by_initiator=by_initiator)


# At the Key Manager, in both generations


CERTIFICATE_REQUEST = bytes.fromhex("308201623081cc020100300f310d300b06035504030c0465766500")


@GENERATIONS
@pytest.mark.parametrize("by", [0, 1], ids=["initiator", "responder"])
def test_nothing_else_is_signed(make: Any, by: int) -> None:
    talk = Conversation(make("alice"), make("bob"))
    talk.ike_sa_init(MODP_3072)
    end, other = talk.pairs()[by]
    right, changed = end.init_message, bytearray(end.init_message)
    changed[100] ^= 1
    for wrong in (CERTIFICATE_REQUEST, other.init_message, bytes(changed), right[:-1], b"x"):
        with refused(Result.INVALID_PARAMETER):
            end.call(rpc2.IsaSign(isa=1, lc=1, hash_algorithms=(), init_message=wrong))
    talk.ike_auth(())


@GENERATIONS
def test_the_message_of_another_ike_sa_is_not_signed(make: Any) -> None:
    alice, bob = make("alice"), make("bob")
    one, two = Conversation(alice, bob), Conversation(alice, bob, isa=2, ae=2)
    one.ike_sa_init(MODP_3072)
    two.ike_sa_init(MODP_3072)
    wrong = one.initiator.init_message
    with refused(Result.INVALID_PARAMETER):
        two.initiator.call(rpc2.IsaSign(isa=2, lc=1, hash_algorithms=(), init_message=wrong))


@pytest.mark.parametrize("verify", [False, True])
def test_intermediate_messages_in_their_order(verify: bool) -> None:
    talk = Conversation(host("alice"), host("bob"))
    talk.ike_sa_init(MODP_3072)
    alice = talk.initiator
    sender = talk.responder if verify else alice
    first, second = (talk.intermediate_message(sender) for _ in range(2))

    def cover(message: bytes, peers: bool = verify) -> None:
        alice.call(rpc2.IsaIntAuth(isa=1, verify=peers, message=message))

    with refused(Result.INVALID_PARAMETER):
        cover(second)
    with refused(Result.INVALID_PARAMETER):
        cover(first, not verify)
    cover(first)
    with refused(Result.INVALID_PARAMETER):
        cover(first)
    cover(second)
    # One side's messages alone are no exchanges.
    with refused(Result.INVALID_STATE):
        talk.sign(alice)


# One meaning alone


def long_length(size: int) -> bytes:
    """In its shortest form, and in one that is longer than needed."""
    octets = size.to_bytes(max(1, (size.bit_length() + 7) // 8), "big")
    return bytes([0x80 | len(octets)]) + octets


@given(
    st.binary(min_size=200, max_size=300),
    st.sampled_from([b"\x30", b"\x31", b"\xa0", b"\x04", b"\x7f\x4e", b"\x1f\x81\x81\x01"]),
    st.integers(0, 3),
)
def test_octets_that_are_one_value_of_asn1(octets: Any, tag: bytes, zeros: int) -> None:
    size = len(octets)
    lengths = [
        long_length(size),
        bytes([0x80 | 2 + zeros]) + bytes(zeros) + size.to_bytes(2, "big"),
    ]
    for length in lengths:
        with pytest.raises(InvalidParameter):
            check_one_meaning(tag + length + octets)
        for other in (octets[:-1], octets + b"\0"):
            check_one_meaning(tag + length + other)
    with pytest.raises(InvalidParameter):
        check_one_meaning(tag + b"\x80" + octets + b"\0\0")
    check_one_meaning(tag + b"\x80" + octets + b"\0\1")
    with pytest.raises(InvalidParameter):
        check_one_meaning(tag + b"\x64" + octets[:100])


@given(st.binary(min_size=17, max_size=17))
def test_any_beginning_is_read_to_an_end(beginning: Any) -> None:
    """A chain of payloads may begin with any type; the version ends what may be a long tag."""
    with suppress(InvalidParameter):
        check_one_meaning(beginning + b"\x20\x22\x08" + bytes(200))


@pytest.mark.parametrize("seed", range(4))
def test_two_readers_agree(seed: int) -> None:
    """On messages that are right, nearly right, and wrong."""
    outcomes = forged_messages.run(random.Random(seed), 5000)
    assert outcomes["taken"] > 500
    assert outcomes["refused"] > 500


@given(st.data())
def test_two_readers_agree_on_what_hypothesis_makes(data: Any) -> None:
    by_initiator, number = data.draw(st.booleans()), data.draw(st.integers(0, 2))
    bodies = st.binary(max_size=30)
    payloads = data.draw(st.lists(st.tuples(st.integers(1, 255), bodies), max_size=6))
    for part in init_payloads(forged_messages.OURS):
        payloads.insert(data.draw(st.integers(0, len(payloads))), part)
    ours, peers = forged_messages.OURS, forged_messages.PEERS
    if number:
        message = intermediate_message(
            forged_messages.SPIS, number, by_initiator=by_initiator, inside=payloads
        )
    else:
        message = init_message(ours, peers.spi, by_initiator=by_initiator, payloads=payloads)
    made = forged_messages.Case(message, by_initiator, number)
    assert forged_messages.is_taken(made) == forged_messages.is_right(made)


@ROLES
def test_intermediate_messages_of_unknown_payloads_alone(by_initiator: Any) -> None:
    body = chain([(NO_SUCH, b"future"), (NO_SUCH, b"")])
    message = header(SPIS, NO_SUCH, 43, flags(by_initiator), 1, 28 + len(body)) + body
    with pytest.raises(InvalidParameter):
        check_intermediate(message, SPIS, 1, by_initiator=by_initiator)
