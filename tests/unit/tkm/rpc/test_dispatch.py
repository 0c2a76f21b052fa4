# SPDX-License-Identifier: GPL-2.0-or-later
"""One client's octets in, responses out: nothing that it sends goes unanswered or does harm."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tkm.rpc.echo import ECHO, Fail, Say, WordReply, dispatcher
from tests.unit.tkm.rpc.feeding import feed, take
from tests.unit.tkm.rpc.test_frames import cut_all, split
from tkm.rpc.interface import Header, SizedFrames
from tkm.rpc.result import Result
from tkm.rpc.server import Connection, Dispatcher

FRAMES = SizedFrames()


def say(word: Any, number: Any = 0) -> Any:
    return FRAMES.request(Header(Say.code, number), Say(word=word, times=1).encode())


def answers(octets: Any, connection: Any = None) -> Any:
    """The responses to what was sent in one piece."""
    connection = connection or Connection(dispatcher())
    feed(connection, octets)
    return cut_all(SizedFrames(), [take(connection)], responses=True)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), words=st.lists(st.binary(min_size=1, max_size=300), max_size=5))
def test_requests_in_any_pieces_are_answered_in_order(data: Any, words: Any) -> None:
    octets = b"".join(say(word, number) for number, word in enumerate(words))
    connection, found = Connection(dispatcher()), []
    for piece in split(data, octets):
        found += answers(piece, connection)
    assert [header.request_id for header, _ in found] == list(range(len(words)))
    assert [WordReply.decode(body).word for _, body in found] == words


def test_one_request_is_answered_at_a_time() -> None:
    heard: list[Any] = []
    connection = Connection(dispatcher(heard))
    feed(connection, say(b"one") + say(b"two") + say(b"three")[:-1])
    assert (heard, bool(connection.waiting)) == ([b"one"], True)
    connection.answer()
    assert heard == [b"one"]  # its response is not sent yet
    connection.sent(len(connection.to_send))
    connection.answer()
    assert (heard, bool(connection.waiting)) == ([b"one", b"two"], False)
    connection.sent(len(connection.to_send))
    feed(connection, say(b"three")[-1:])
    assert heard == [b"one", b"two", b"three"]


def test_a_fault_is_answered_and_logged_by_its_type_and_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fault(_: Any) -> Any:
        raise faults.pop()

    secret = "b6d5 the key"
    faults = [OSError(secret), RecursionError(secret), MemoryError(secret), ValueError(secret)]
    kinds = [type(fault).__name__ for fault in reversed(faults)]
    connection = Connection(Dispatcher(ECHO, {Say: fault, Fail: fault}))
    for number, _ in enumerate(kinds):
        (answer,) = answers(say(b"word", number), connection)
        assert answer == (Header(Say.code, number, Result.ABORTED), b"")
    here = caplog.messages[0].rpartition(" at ")[2]
    assert caplog.messages == [f"say aborted: {kind} at {here}" for kind in kinds]
    assert here.startswith("test_dispatch.py:")


@pytest.mark.parametrize(
    ("octets", "operation", "result"),
    [
        (FRAMES.request(Header(9, 5), b""), 9, Result.INVALID_OPERATION),
        (FRAMES.request(Header(1, 5), b"\0\0\0\1a"), 1, Result.INVALID_PARAMETER),
        (FRAMES.request(Header(1, 5), b"\0\0\0\1a\1 "), 1, Result.INVALID_PARAMETER),
        (FRAMES.request(Header(1, 5), b""), 1, Result.INVALID_PARAMETER),
        (b"\xff\xff\xff\xff" + bytes.fromhex("0001 0000 00000005"), 1, Result.INVALID_PARAMETER),
        (b"\0\0\0\1" + bytes.fromhex("0001 0000 00000005"), 1, Result.INVALID_PARAMETER),
        (b"\0\0\0\1" + bytes.fromhex("0009 0000 00000005"), 9, Result.INVALID_OPERATION),
    ],
    ids=["unknown", "short", "long", "empty", "huge", "tiny", "tiny unknown"],
)
def test_a_bad_frame_is_answered_with_its_operation_and_no_body(
    octets: Any, operation: int, result: Any
) -> None:
    assert answers(octets) == [(Header(operation, 5, result), b"")]


@pytest.mark.parametrize("result", [result for result in Result if result])
def test_a_handler_that_refuses_gives_its_result(result: Any) -> None:
    octets = FRAMES.request(Header(Fail.code, 3), Fail(result=result).encode())
    assert answers(octets + say(b"next", 4)) == [
        (Header(Fail.code, 3, result), b""),
        (Header(Say.code, 4), WordReply(word=b"next").encode()),
    ]


def test_a_reply_out_of_bounds_is_no_reply() -> None:
    octets = FRAMES.request(Header(1, 5), Say(word=bytes(4096), times=17).encode())
    assert answers(octets) == [(Header(1, 5, Result.INVALID_PARAMETER), b"")]


@settings(max_examples=100, deadline=None)
@given(octets=st.binary(max_size=2000))
def test_garbage_does_no_harm(octets: Any) -> None:
    answers(octets)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_flipped_bits_do_no_harm(data: Any) -> None:
    octets = bytearray(say(b"word", 1) + say(b"next", 2))
    for place in data.draw(st.lists(st.integers(0, 8 * len(octets) - 1), max_size=4)):
        octets[place // 8] ^= 1 << place % 8
    answers(bytes(octets))


def test_every_operation_needs_a_handler() -> None:
    with pytest.raises(TypeError, match="no handler for say, fail"):
        Dispatcher(ECHO, {})


def test_a_code_stands_for_one_operation() -> None:
    with pytest.raises(TypeError, match="Other and Say share 0x1"):
        type("Other", (Say,), {}, interface=ECHO, code=1)
