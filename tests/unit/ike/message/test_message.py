# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole messages: header, chain of payloads, and what must not get through."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike.message.chain import decode_chain
from ike.message.errors import (
    Declined,
    InvalidMajorVersion,
    MalformedMessage,
    PeerError,
    UnsupportedCriticalPayload,
)
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import NotifyType, PayloadType
from ike.message.payloads import KeyExchange, Nonce, Notify, SecurityAssociation, Unknown
from tests.unit.ike.message.strategies import messages

HEADER = Header(bytes(range(8)), bytes(8), 34, True, False, 0)
VECTORS = Path(__file__).parents[3] / "vectors" / "charon-ike-sa-init.hex"
NONCE = Nonce(bytes(16))


def charon() -> list[bytes]:
    """IKE_SA_INIT request and response of charon."""
    lines = VECTORS.read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


@given(messages)
def test_round_trip(message: Message) -> None:
    assert Message.decode(message.encode()) == message


@given(messages, st.data())
def test_whatever_arrives_is_understood_or_the_peers_fault(
    message: Message, data: st.DataObject
) -> None:
    octets = bytearray(message.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(octets[: data.draw(st.integers(0, len(octets)))])
    for mangled in (bytes(octets), cut, cut[:24] + len(cut).to_bytes(4, "big") + cut[28:]):
        with contextlib.suppress(PeerError):
            Message.decode(mangled)


@pytest.mark.parametrize("octets", charon(), ids=["request", "response"])
def test_charon(octets: bytes) -> None:
    message = Message.decode(octets)
    assert message.encode() == octets
    assert message.need(KeyExchange).method == 16
    assert len(message.need(KeyExchange).public_value) == 512
    assert len(message.need(Nonce).octets) == 32
    (proposal,) = message.need(SecurityAssociation).proposals
    spelled = {(t.kind, t.id, t.key_length) for t in proposal.transforms}
    assert spelled == {(1, 12, 256), (3, 14, None), (2, 7, None), (4, 16, None)}


def test_summary_reads_like_charons_log() -> None:
    summary = str(Message.decode(charon()[0]))
    notifies = "N(NATD_S_IP) N(NATD_D_IP) N(FRAG_SUP) N(REDIR_SUP)"
    assert summary == f"IKE_SA_INIT request 0 [ SA KE No {notifies} ]"


def test_header_layout() -> None:
    octets = Header(b"initiate", b"responds", 37, False, True, 0x01020304).encode(41, 64)
    assert octets == b"initiateresponds" + bytes((41, 0x20, 37, 0x20, 1, 2, 3, 4, 0, 0, 0, 64))


@pytest.mark.parametrize("change", [-1, 1])
def test_length_that_is_not_the_datagrams(change: int) -> None:
    octets = bytearray(Message(HEADER, (NONCE,)).encode())
    octets[27] += change
    with pytest.raises(MalformedMessage, match="length"):
        Message.decode(bytes(octets))


def test_too_short_for_a_header() -> None:
    with pytest.raises(MalformedMessage, match="27 octets are no IKE message"):
        Message.decode(bytes(27))


def test_zero_initiator_spi() -> None:
    octets = Message(HEADER, (NONCE,)).encode()
    with pytest.raises(MalformedMessage, match="SPI is zero"):
        Message.decode(bytes(8) + octets[8:])


@pytest.mark.parametrize(("version", "error"), [(1, MalformedMessage), (3, InvalidMajorVersion)])
def test_other_versions(version: int, error: type[PeerError]) -> None:
    octets = bytearray(Message(HEADER, (NONCE,)).encode())
    octets[17] = version << 4
    with pytest.raises(error):
        Message.decode(bytes(octets))


def test_minor_version_does_not_matter() -> None:
    octets = bytearray(Message(HEADER, (NONCE,)).encode())
    octets[17] |= 0x0F
    assert Message.decode(bytes(octets)).payloads == (NONCE,)


def test_unknown_payload_is_kept() -> None:
    message = Message(HEADER, (Unknown(200, b"?"), NONCE))
    assert Message.decode(message.encode()) == message


def test_unknown_critical_payload() -> None:
    octets = bytearray(Message(HEADER, (Unknown(200, b"?"), NONCE)).encode())
    octets[Header.LENGTH + 1] |= 0x80
    with pytest.raises(UnsupportedCriticalPayload) as caught:
        Message.decode(bytes(octets))
    assert (caught.value.notify, caught.value.data) == (1, bytes((200,)))


@pytest.mark.parametrize("kind", [PayloadType.CP, PayloadType.EAP])
def test_critical_bit_of_payloads_that_we_do_without_is_ignored(kind: int) -> None:
    octets = bytearray(Message(HEADER, (Unknown(kind, b"?"), NONCE)).encode())
    octets[Header.LENGTH + 1] |= 0x80
    assert Message.decode(bytes(octets)).payloads == (Unknown(kind, b"?"), NONCE)


def test_critical_bit_of_known_payloads_is_ignored() -> None:
    octets = bytearray(Message(HEADER, (NONCE,)).encode())
    octets[Header.LENGTH + 1] |= 0x80
    assert Message.decode(bytes(octets)).payloads == (NONCE,)


@pytest.mark.parametrize(
    ("first", "octets", "why"),
    [
        (40, b"\0\0\0", "4 octets wanted at 0"),
        (40, b"\0\0\0\3", "type 40 and 3 octets"),
        (40, b"\0\0\0\x20" + bytes(16), "28 octets wanted at 4, 16 are left"),
        (40, b"\0\0\0\x14" + bytes(16) + b"!", "1 octets after the last payload"),
        (41, b"\x29\0\0\x08\0\0\x40\0", "4 octets wanted at 8, 0 are left"),
        (0, b"!", "1 octets after the last payload"),
    ],
)
def test_broken_chains(first: int, octets: bytes, why: str) -> None:
    with pytest.raises(MalformedMessage, match=why):
        decode_chain(first, octets)


def test_payload_that_is_there_twice() -> None:
    message = Message(HEADER, (NONCE, NONCE))
    with pytest.raises(MalformedMessage, match="2 No payloads"):
        message.find(Nonce)


def test_payload_that_is_missing() -> None:
    with pytest.raises(MalformedMessage, match="no KE payload"):
        Message(HEADER, (NONCE,)).need(KeyExchange)


def test_error_notify_is_raised_and_status_is_not() -> None:
    Message(HEADER, (Notify(NotifyType.INITIAL_CONTACT),)).raise_error()
    declined = Message(HEADER, (Notify(NotifyType.INVALID_KE_PAYLOAD, b"\0\x0f"),))
    with pytest.raises(Declined, match="INVALID_KE_PAYLOAD") as caught:
        declined.raise_error()
    assert (caught.value.notify, caught.value.data) == (17, b"\0\x0f")
