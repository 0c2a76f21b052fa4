# SPDX-License-Identifier: GPL-2.0-or-later
"""A lost piece of ESP is counted, and plain text does not pass for one (`lab.check.proof.lost`)."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from lab.check.proof import Flaw, Frame, Verdict
from lab.check.proof.engine import verify

from . import builder
from .conftest import Pair

SIZE = 1480
NOISE = random.Random(4303).randbytes(SIZE)
TEXT = (b"GET /salaries HTTP/1.1\r\nHost: intranet\r\n\r\n" * 40)[:SIZE]
COUNTING = bytes(position % 256 for position in range(SIZE))


def large(pair: Pair, sequence: int, spi: int | None = None) -> list[bytes]:
    """An ESP packet of three fragments."""
    sa = replace(pair.there, spi=pair.there.spi if spi is None else spi)
    echo = replace(pair.request, sequence=900, payload=random.Random(sequence).randbytes(3000))
    protocol = builder.ICMPV6 if ":" in sa.src else builder.ICMP
    octets = builder.esp(sa, sequence, protocol, builder.icmp(echo))
    iv = random.Random(sequence).randbytes(16)
    return builder.ip_fragments(sa.src, sa.dst, builder.ESP, octets[:8] + iv + octets[24:], SIZE)


def piece(pair: Pair, content: bytes, offset: int = SIZE, protocol: int = builder.ESP) -> bytes:
    ends = pair.there.src, pair.there.dst
    return builder.ip_fragment(*ends, protocol, content, offset, more=False)


def judged(pair: Pair, pieces: list[bytes], senders: str = "alice", *, gap: bool = True) -> Verdict:
    """The verdict on pieces between a packet with number 1 and one with 3 (or, no gap, 2)."""
    later = builder.carry(pair.there, 3 if gap else 2, replace(pair.request, sequence=2))
    names = ["alice", "bob", *[senders] * len(pieces), "alice"]
    frames = builder.capture([*pair.packets, *pieces, later], names)
    return verify(frames, pair.sas, pair.messages)


def flaws(verdict: Verdict) -> list[Flaw]:
    return [failure.flaw for failure in verdict.failures]


@pytest.mark.parametrize("case", ["v4", "v6"])
@pytest.mark.parametrize("left", [(0, 1), (0, 2), (0,), (1, 2), (1,), (2,), (2, 0)], ids=str)
def test_what_is_left_of_an_esp_packet_is_counted(
    case: str, left: tuple[int, ...], request: Any
) -> None:
    pair: Pair = request.getfixturevalue(case)
    verdict = judged(pair, [large(pair, 2)[number] for number in left])
    assert verdict.failures == ()
    assert verdict.other == {"ESP with a piece lost": 1}


def test_all_of_it_is_verified(v4: Pair) -> None:
    verdict = judged(v4, large(v4, 2))
    assert flaws(verdict) == [Flaw.ICV]  # the IV was changed after sealing


@pytest.mark.parametrize("content", [TEXT, COUNTING, bytes(SIZE), NOISE[:16]], ids=range(4))
@pytest.mark.parametrize("with_first", [True, False])
def test_plain_text_that_states_to_be_esp(v4: Pair, content: bytes, with_first: bool) -> None:
    first = [large(v4, 2)[0]] if with_first else []
    verdict = judged(v4, [*first, piece(v4, content, 2 * SIZE)])
    assert flaws(verdict) == [Flaw.FRAGMENT]


@pytest.mark.parametrize("content", [TEXT, COUNTING, bytes(SIZE)], ids=range(3))
def test_plain_text_behind_an_esp_header(v4: Pair, content: bytes) -> None:
    head = large(v4, 2)[0][:20] + large(v4, 2)[0][20:44]
    verdict = judged(v4, [head + content[: SIZE - 24]])
    assert flaws(verdict) == [Flaw.FRAGMENT]


@pytest.mark.parametrize("protocol", [builder.ICMP, builder.UDP, 6])
@pytest.mark.parametrize("with_first", [True, False])
def test_another_protocol_with_the_identification_of_esp(
    v4: Pair, protocol: int, with_first: bool
) -> None:
    first = [large(v4, 2)[0]] if with_first else []
    verdict = judged(v4, [*first, piece(v4, NOISE, protocol=protocol)])
    assert flaws(verdict) == [Flaw.FRAGMENT]
    assert verdict.other.get("ESP with a piece lost", 0) == with_first


def test_a_first_piece_of_an_sa_that_nobody_reports(v4: Pair) -> None:
    assert flaws(judged(v4, large(v4, 2, spi=0xBAD)[:1])) == [Flaw.UNKNOWN_SPI]


@pytest.mark.parametrize("sequence", [0, 1, 3])
def test_a_first_piece_under_a_number_that_is_taken(v4: Pair, sequence: int) -> None:
    assert flaws(judged(v4, large(v4, sequence)[:1])) == [Flaw.FRAGMENT]


def test_two_first_pieces_under_one_number(v4: Pair) -> None:
    one, other = large(v4, 2)[0], bytearray(large(v4, 2)[0])
    other[5] ^= 1  # another identification
    assert flaws(judged(v4, [one, bytes(other)])) == [Flaw.FRAGMENT]


@pytest.mark.parametrize("left", [0, 2])
def test_pieces_from_another_port(v4: Pair, left: int) -> None:
    assert flaws(judged(v4, [large(v4, 2)[left]], senders="mallory")) == [Flaw.FRAGMENT]


def test_a_rest_where_no_esp_packet_is_missing(v4: Pair) -> None:
    assert flaws(judged(v4, large(v4, 2)[2:], gap=False)) == [Flaw.FRAGMENT]


def test_two_rests_where_one_esp_packet_is_missing(v4: Pair) -> None:
    one, other = large(v4, 2)[2], bytearray(large(v4, 2)[2])
    other[5] ^= 1
    assert flaws(judged(v4, [one, bytes(other)])) == [Flaw.FRAGMENT]


def test_a_rest_after_a_first_piece_has_taken_the_missing_number(v4: Pair) -> None:
    other = bytearray(large(v4, 2)[2])
    other[5] ^= 1
    assert flaws(judged(v4, [bytes(other), large(v4, 2)[0]])) == [Flaw.FRAGMENT]


@pytest.mark.parametrize(
    ("offset", "length", "more"),
    [(0, 64, True), (SIZE - 8, 64, True), (8, 8, True), (SIZE, 7, True), (65528, 64, False)],
)
def test_pieces_that_do_not_fit(v4: Pair, offset: int, length: int, more: bool) -> None:
    ends = v4.there.src, v4.there.dst
    odd = builder.ip_fragment(*ends, builder.ESP, NOISE[:length], offset, more=more)
    assert Flaw.FRAGMENT in flaws(judged(v4, [large(v4, 2)[0], odd]))


def test_a_piece_beyond_the_end(v4: Pair) -> None:
    beyond = piece(v4, NOISE, 3 * SIZE)
    assert Flaw.FRAGMENT in flaws(judged(v4, [*large(v4, 2)[1:], beyond]))


def test_an_identification_that_comes_again_after_a_minute(v4: Pair) -> None:
    lost, whole = large(v4, 2)[0], builder.esp(v4.there, 3, 1, builder.icmp(v4.request))
    ends = v4.there.src, v4.there.dst
    packets = [*v4.packets, lost, *builder.ip_fragments(*ends, builder.ESP, whole, 64)]
    frames = builder.capture(packets)
    late = [replace(frame, time=frame.time + 61) for frame in frames[3:]]
    verdict = verify([*frames[:3], *late], v4.sas, v4.messages)
    assert verdict.failures == ()
    assert verdict.other == {"ESP with a piece lost": 1}


def test_ike_of_which_the_first_piece_is_here(v4: Pair) -> None:
    datagram = builder.udp(500, 500, builder.ike(3000))
    pieces = builder.ip_fragments(v4.there.src, v4.there.dst, builder.UDP, datagram, SIZE)
    assert judged(v4, pieces[:2]).other == {"IKE with a piece lost": 1}
    assert flaws(judged(v4, pieces[1:2])) == [Flaw.FRAGMENT]


def test_an_inner_fragment_whose_rest_was_lost(tunnel: Pair) -> None:
    inner = builder.ip_fragments("10.1.0.5", "10.2.0.7", 1, bytes(2000), 1400)[0]
    octets = builder.esp(tunnel.there, 2, 4, inner)
    packet = builder.ip(tunnel.there.src, tunnel.there.dst, builder.ESP, octets)
    frames = builder.capture([*tunnel.packets, packet])
    verdict = verify(frames, tunnel.sas, tunnel.messages)
    assert verdict.failures == ()
    assert verdict.other == {"fragments inside ESP without the others": 1}
    narrow = replace(tunnel.there, selectors=(("10.1.0.9/32", "10.2.0.0/16"),))
    assert flaws(verify(frames[2:], [narrow], ())) == [Flaw.OUTSIDE_POLICY]


def test_plain_text_in_pieces_on_a_red_link(tunnel: Pair) -> None:
    pieces = builder.ip_fragments("10.1.0.5", "10.1.0.6", 1, bytes(2000), 1400)
    verdict = verify(builder.capture([pieces[1], *tunnel.packets]), tunnel.sas, (), red=True)
    assert verdict.failures == ()
    assert verdict.other == {"plain text": 1}


# --- the second opinion -------------------------------------------------------------------------


def with_bit(frame: Frame, position: int) -> Frame:
    octets = bytearray(frame.octets)
    octets[position] ^= 1
    return replace(frame, octets=bytes(octets))


def test_a_second_opinion_that_differs_refuses(v4: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.check.proof.esp import Opened, Opener

    right = Opener.open

    def blind(self: Opener, octets: bytes) -> Opened:
        """An opener with a defect: it does not look at the ICV."""
        monkeypatch.setattr(Opener, "_is_icv_good", lambda *_: True)
        return right(self, octets)

    monkeypatch.setattr(Opener, "open", blind)
    frames = [with_bit(v4.frames[0], -1), v4.frames[1]]
    assert Flaw.DISAGREEMENT in flaws(verify(frames, v4.sas, v4.messages))


def test_a_header_that_scapy_reads_differently_refuses(
    v4: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.check.proof import datagram

    monkeypatch.setattr(datagram, "_address", lambda octets: f"192.168.0.{octets[3] ^ 3}")
    swapped = [replace(sa, src=sa.dst, dst=sa.src) for sa in v4.sas]
    assert Flaw.DISAGREEMENT in flaws(verify(v4.frames, swapped, ()))
