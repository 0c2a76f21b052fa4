# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages: octets to messages and back, and both ends of a real socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import Hangup, KernelError, LabError, NameInUse, UsageError
from lab.protocol.channel import Channel, Decoder, Message, encode, error, raise_error

BODIES = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=4)


@given(st.lists(st.tuples(BODIES, st.binary(max_size=200)), max_size=5), st.integers(1, 60))
def test_messages_survive_any_cut(messages: list[tuple[dict[str, int], bytes]], cut: int) -> None:
    stream = b"".join(encode(body, octets) for body, octets in messages)
    decoder = Decoder()
    pieces = (stream[i : i + cut] for i in range(0, len(stream), cut))
    arrived = [message for piece in pieces for message in decoder.feed(piece)]
    assert arrived == [Message(body, octets) for body, octets in messages]


@pytest.mark.parametrize("header", [(1 << 30, 4), (10, 20)], ids=["too long", "JSON past the end"])
def test_a_stream_that_is_no_messages_is_refused(header: tuple[int, int]) -> None:
    with pytest.raises(LabError, match="another protocol"):
        list(Decoder().feed(struct.pack(">II", *header) + b"GET / HTTP/1.1"))


@pytest.mark.parametrize("kind", [LabError, UsageError, KernelError, NameInUse])
def test_an_error_arrives_as_what_it_was(kind: type[LabError]) -> None:
    with pytest.raises(kind, match="no such thing") as caught:
        raise_error(error(kind("no such thing")))
    assert type(caught.value) is kind


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), Channel(theirs)


def test_ask_passes_events_on_and_returns_the_answer(pair: tuple[Channel, Channel]) -> None:
    front_end, agent = pair
    agent.send({"event": "stdout"}, b"abc")
    agent.send({"done": {"code": 3}})
    events: list[Message] = []
    answer = front_end.ask({"do": "run"}, event=events.append)
    assert answer.body["done"] == {"code": 3}
    assert events == [Message({"event": "stdout"}, b"abc")]
    assert agent.receive() == Message({"do": "run"})


def test_a_lab_that_ends_meanwhile_is_a_hang_up(pair: tuple[Channel, Channel]) -> None:
    front_end, agent = pair
    agent.close()
    with pytest.raises(Hangup):
        front_end.ask({"do": "status"})
