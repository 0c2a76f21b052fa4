# SPDX-License-Identifier: GPL-2.0-or-later
"""The octets of the control interface."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike.vici import message, packet
from ike.vici.errors import BrokenMessage, BrokenPacket, TooLong
from ike.vici.message import Section
from ike.vici.packet import LONGEST, Packet, PacketType

NAMES = st.text(st.characters(codec="ascii"), max_size=30)
VALUES = st.binary(max_size=300).map(message.text)
SECTIONS = st.recursive(
    st.dictionaries(NAMES, VALUES | st.lists(VALUES, max_size=4), max_size=4),
    lambda inner: st.dictionaries(NAMES, VALUES | st.lists(VALUES, max_size=4) | inner, max_size=4),
    max_leaves=8,
)

EXAMPLE: Section = {"key": "value", "outer": {"inner": {"k": "v"}, "list": ["one", "two"]}}
EXAMPLE_OCTETS = (
    b"\x03\x03key\x00\x05value"
    b"\x01\x05outer\x01\x05inner\x03\x01k\x00\x01v\x02"
    b"\x04\x04list\x05\x00\x03one\x05\x00\x03two\x06\x02"
)


def test_layout() -> None:
    assert message.encode(EXAMPLE) == EXAMPLE_OCTETS
    assert message.decode(EXAMPLE_OCTETS) == EXAMPLE


@given(SECTIONS)
def test_message_round_trip(section: Section) -> None:
    assert message.decode(message.encode(section)) == section


@given(st.binary(max_size=200))
def test_a_message_is_whole_or_broken(octets: bytes) -> None:
    try:
        section = message.decode(octets)
    except BrokenMessage:
        return
    assert message.encode(section) == octets


@pytest.mark.parametrize("end", range(1, len(EXAMPLE_OCTETS)))
def test_truncated_message(end: int) -> None:
    if end == len(b"\x03\x03key\x00\x05value"):
        return
    with pytest.raises(BrokenMessage):
        message.decode(EXAMPLE_OCTETS[:end])


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x00", id="type zero"),
        pytest.param(b"\x07", id="type seven"),
        pytest.param(b"\x02", id="section end without start"),
        pytest.param(b"\x05\x00\x01x", id="item without list"),
        pytest.param(b"\x06", id="list end without start"),
        pytest.param(b"\x04\x01l\x04\x01m\x06\x06", id="list in a list"),
        pytest.param(b"\x04\x01l\x03\x01k\x00\x01v\x06", id="value in a list"),
        pytest.param(b"\x03\x01k\x00\x00\x03\x01k\x00\x00", id="a key twice"),
        pytest.param(b"\x01\x01s" * 32 + b"\x02" * 32, id="too deep"),
    ],
)
def test_broken_message(octets: bytes) -> None:
    with pytest.raises(BrokenMessage):
        message.decode(octets)


def test_depth_that_is_fine() -> None:
    message.decode(b"\x01\x01s" * 31 + b"\x02" * 31)


def test_what_does_not_fit() -> None:
    for section in ({"n" * 256: ""}, {"n": "v" * 65536}, {"l": ["v" * 65536]}):
        with pytest.raises(TooLong):
            message.encode({**section})
    with pytest.raises(TooLong):
        packet.pack(PacketType.EVENT, "log", {"l": ["v" * 65535] * 8})
    with pytest.raises(TooLong):
        packet.pack(PacketType.EVENT, "n" * 256)


@given(
    st.lists(st.tuples(st.sampled_from(PacketType), NAMES, st.binary(max_size=40)), max_size=5),
    st.integers(1, 7),
)
def test_packets_round_trip(parts: list[tuple[PacketType, str, bytes]], step: int) -> None:
    packets = [
        Packet(kind, name if kind in packet.NAMED else "", body) for kind, name, body in parts
    ]
    octets = b"".join(each.encode() for each in packets)
    received, taken = bytearray(), []
    for start in range(0, len(octets), step):
        received += octets[start : start + step]
        while one := packet.cut(received):
            taken.append(one)
    assert taken == packets
    assert not received


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x00\x00\x00\x00", id="empty"),
        pytest.param(b"\x00\x00\x00\x01\x08", id="unknown type"),
        pytest.param(b"\x00\x00\x00\x01\x00", id="no name"),
        pytest.param(b"\x00\x00\x00\x03\x00\x02x", id="short name"),
        pytest.param((LONGEST + 1).to_bytes(4, "big"), id="too long"),
    ],
)
def test_broken_packet(octets: bytes) -> None:
    with pytest.raises(BrokenPacket):
        packet.cut(bytearray(octets))


def test_the_longest_packet() -> None:
    octets = Packet(PacketType.CMD_RESPONSE, "", bytes(LONGEST - 1)).encode()
    received = bytearray(octets[:-1])
    assert packet.cut(received) is None
    received += octets[-1:]
    assert packet.cut(received) == Packet(PacketType.CMD_RESPONSE, "", bytes(LONGEST - 1))
