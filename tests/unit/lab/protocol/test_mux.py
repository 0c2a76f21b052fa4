# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ends of the multiplexer, joined in memory by a line that cuts octets anywhere."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from lab.protocol.mux import Frame, Kind, Mux

WINDOW = 100


def carry(sender: Mux, receiver: Mux, cut: int) -> list[Frame]:
    """Move what the sender has to the receiver, `cut` octets at a time."""
    octets, sender.output[:] = bytes(sender.output), b""
    pieces = (octets[i : i + cut] for i in range(0, len(octets), cut))
    return [frame for piece in pieces for frame in receiver.receive(piece)]


def exchange(a: Mux, b: Mux, cut: int) -> dict[int, bytes]:
    """Carry until both are silent; return what b got on each channel, having taken all of it."""
    got: defaultdict[int, bytes] = defaultdict(bytes)
    while a.output:
        for frame in carry(a, b, cut):
            if frame.kind is Kind.OPEN:
                b.accept(frame.channel)
            elif frame.kind is Kind.DATA:
                got[frame.channel] += frame.octets
                b.taken(frame.channel, len(frame.octets))
        carry(b, a, cut)
    return dict(got)


@given(st.lists(st.tuples(st.integers(1, 4), st.binary(max_size=1000))), st.integers(1, 50))
def test_every_channel_arrives_whole_and_in_order(
    pieces: list[tuple[int, bytes]], cut: int
) -> None:
    a, b = Mux(WINDOW), Mux(WINDOW)
    sent: defaultdict[int, bytes] = defaultdict(bytes)
    for channel in range(1, 5):
        a.open(channel)
    for channel, octets in pieces:
        a.send(channel, octets)
        sent[channel] += octets
    assert exchange(a, b, cut) == {channel: octets for channel, octets in sent.items() if octets}


def test_no_more_is_under_way_than_the_window() -> None:
    a, b = Mux(WINDOW), Mux(WINDOW)
    a.open(1)
    a.send(1, bytes(1000))
    frames = carry(a, b, 4096)
    assert sum(len(frame.octets) for frame in frames if frame.kind is Kind.DATA) == WINDOW
    assert a.queued(1) == 1000 - WINDOW
    assert not a.output


def test_a_channel_without_credit_does_not_stop_another() -> None:
    a, b = Mux(WINDOW), Mux(WINDOW)
    a.open(1)
    a.open(2)
    a.send(1, bytes(1000))
    a.send(2, b"urgent")
    assert (2, b"urgent") in [(frame.channel, frame.octets) for frame in carry(a, b, 4096)]


def test_close_comes_after_what_was_sent() -> None:
    a, b = Mux(WINDOW), Mux(WINDOW)
    a.open(1)
    a.send(1, bytes(WINDOW + 1))
    a.close(1)
    a.send(1, b"too late")
    frames = carry(a, b, 4096)
    assert [frame.kind for frame in frames] == [Kind.OPEN, Kind.DATA]
    b.taken(1, WINDOW)
    carry(b, a, 4096)
    frames = carry(a, b, 4096)
    assert frames == [Frame(1, Kind.DATA, b"\0"), Frame(1, Kind.CLOSE, b"")]


def test_a_dropped_channel_takes_its_queue_with_it() -> None:
    a = Mux(WINDOW)
    a.open(1)
    a.send(1, bytes(1000))
    a.drop(1)
    assert a.queued(1) == 0
    a.send(1, b"nobody hears")
    assert a.queued(1) == 0


def test_channel_zero_is_open_from_the_start() -> None:
    a, b = Mux(WINDOW), Mux(WINDOW)
    a.send(0, b"hello")
    assert carry(a, b, 3) == [Frame(0, Kind.DATA, b"hello")]
