# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream of octets becomes frames, however it was split and whatever is wrong with it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tkm.rpc.ees import EES
from tkm.rpc.interface import FixedFrames, Header, SizedFrames
from tkm.rpc.result import FrameError
from tkm.rpc.rpc2 import RPC2

FRAMINGS = pytest.mark.parametrize("interface", [RPC2, EES], ids=lambda interface: interface.name)
HEADERS = st.builds(
    Header,
    operation=st.integers(0, 0xFFFF),
    request_id=st.integers(0, 0xFFFFFFFF),
    result=st.just(0),
)


def cut_all(framing: Any, pieces: Any, *, responses: Any = False) -> Any:
    """The frames that come out while the pieces go in."""
    stream, frames = bytearray(), []
    for piece in pieces:
        stream += piece
        while frame := framing.cut(stream, responses=responses):
            frames.append(frame)
    return frames


def split(data: Any, octets: Any) -> Any:
    """The octets in pieces of any sizes."""
    places = data.draw(st.lists(st.integers(0, len(octets)), max_size=12).map(sorted))
    return [octets[a:b] for a, b in zip([0, *places], [*places, len(octets)], strict=True)]


@FRAMINGS
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_frames_in_any_pieces(interface: Any, data: Any) -> None:
    responses = data.draw(st.booleans())
    framing = interface.framing()
    build = framing.response if responses else framing.request
    wanted = data.draw(st.lists(st.tuples(HEADERS, st.binary(max_size=900)), max_size=5))
    octets = b"".join(build(header, body) for header, body in wanted)
    found = cut_all(interface.framing(), split(data, octets), responses=responses)
    assert [header for header, _ in found] == [header for header, _ in wanted]
    for (_, body), (_, sent) in zip(found, wanted, strict=True):
        assert body.startswith(sent)
        assert framing.padded or body == sent


@settings(max_examples=40, deadline=None)
@given(data=st.data(), over=st.integers(1, 200_000))
def test_a_frame_that_is_too_long_is_read_over(data: Any, over: Any) -> None:
    framing = SizedFrames()
    length = SizedFrames.LONGEST + over
    long = length.to_bytes(4, "big") + bytes.fromhex("0101 0000 00000005") + bytes(length - 8)
    after = framing.request(Header(0x0100, 6), b"next")
    found = cut_all(SizedFrames(), split(data, long + after))
    assert found == [(Header(0x0101, 5), None), (Header(0x0100, 6), b"next")]


def test_a_frame_that_is_too_long_is_answered_before_it_has_arrived() -> None:
    head = bytes.fromhex("ffffffff 0101 0000 00000005")
    assert cut_all(SizedFrames(), [head]) == [(Header(0x0101, 5), None)]


def test_the_longest_frame_is_taken() -> None:
    framing = SizedFrames()
    body = bytes(SizedFrames.LONGEST - 8)
    assert cut_all(framing, [framing.request(Header(1, 2), body)]) == [(Header(1, 2), body)]
    with pytest.raises(FrameError, match="longer than"):
        framing.request(Header(1, 2), body + b"\0")


@pytest.mark.parametrize("length", range(8))
def test_a_length_without_room_for_its_header_is_broken(length: int) -> None:
    head = length.to_bytes(4, "big") + bytes.fromhex("0101 0000 00000005")
    after = SizedFrames().request(Header(0x0100, 6), b"next")
    assert cut_all(SizedFrames(), [head + after]) == [
        (Header(0x0101, 5), None),
        (Header(0x0100, 6), b"next"),
    ]


def test_fixed_frames_have_one_size_each() -> None:
    framing = FixedFrames()
    assert len(framing.request(Header(1, 2), b"")) == 2048
    assert len(framing.request(Header(1, 2), bytes(2032))) == 2048
    assert len(framing.response(Header(1, 2, 3), b"")) == 1024
    with pytest.raises(FrameError, match="does not fit"):
        framing.request(Header(1, 2), bytes(2033))


@FRAMINGS
@settings(max_examples=60, deadline=None)
@given(data=st.data(), octets=st.binary(max_size=5000))
def test_garbage_is_cut_without_complaint(interface: Any, data: Any, octets: Any) -> None:
    pieces = split(data, octets)
    whole = cut_all(interface.framing(), [octets])
    assert cut_all(interface.framing(), pieces) == whole
