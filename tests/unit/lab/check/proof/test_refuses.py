# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not pass, each with its reason. These tests are why a green check means something."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lab.check.proof import Flaw, Frame, Mode, Sa
from lab.check.proof.engine import verify

from . import builder
from .conftest import Pair


def flaws(frames: list[Frame], pair: Pair, sas: list[Sa] | None = None) -> dict[Flaw, str]:
    """The flaws of a capture in which alice's request and bob's reply were sent."""
    verdict = verify(frames, pair.sas if sas is None else sas, pair.messages)
    assert verdict.ok == (not verdict.failures)
    report = json.loads(json.dumps(verdict.to_json()))
    assert [one["reason"] for one in report["failures"]] == [str(f) for f in verdict.failures]
    return {failure.flaw: failure.reason for failure in verdict.failures}


def flip(frame: Frame, position: int) -> Frame:
    octets = bytearray(frame.octets)
    octets[position] ^= 1
    return replace(frame, octets=bytes(octets))


def esp_frame(pair: Pair, octets: bytes) -> Frame:
    return builder.capture([builder.ip(pair.there.src, pair.there.dst, builder.ESP, octets)])[0]


def plain(pair: Pair, protocol: int, payload: bytes, hops: int = 64) -> bytes:
    return builder.ip(pair.there.src, pair.there.dst, protocol, payload, hops=hops)


MISSING = "echo request 192.168.0.1 → 192.168.0.2 id 926 seq 1 (56 octets): "
ESP_1 = "frame 1, SPI 0xc0000001 sequence number 1: "


def test_one_flipped_bit(v4: Pair) -> None:
    request, reply = v4.frames
    found = flaws([flip(request, -1), reply], v4)
    assert found == {
        Flaw.ICV: f"{ESP_1}the ICV is wrong: the packet was changed, or the key is another",
        Flaw.MISSING: f"{MISSING}no good ESP packet carried it",
    }


def test_one_flipped_bit_under_an_aead(v4: Pair) -> None:
    gcm = replace(
        v4.there,
        encryption="rfc4106(gcm(aes))",
        encryption_key=builder.octets(36, 9),
        integrity="",
        icv_bits=128,
    )
    frame = builder.capture([builder.carry(gcm, 1, v4.request)])[0]
    assert Flaw.ICV in flaws([flip(frame, 60), v4.frames[1]], v4, [gcm, v4.back])


@pytest.mark.parametrize("case", ["v4", "v6"])
def test_a_plaintext_ping(case: str, request: Any) -> None:
    pair: Pair = request.getfixturevalue(case)
    echo = pair.request
    protocol, name = (58, "ICMPv6") if case == "v6" else (1, "ICMP")
    clear = builder.ip(echo.src, echo.dst, protocol, builder.icmp(echo))
    text = f"{name} echo request {echo.src} → {echo.dst} id 926 seq 1"
    both = [*pair.packets, clear]
    assert flaws(builder.capture(both), pair) == {
        Flaw.PLAINTEXT: f"frame 3: plaintext on the link: {text}"
    }
    alone = flaws(builder.capture([clear, pair.packets[1]]), pair)
    assert alone[Flaw.PLAINTEXT] == f"frame 1: plaintext on the link: {text}"
    assert alone[Flaw.MISSING].endswith(
        "no good ESP packet carried it; frame 1 had it in the clear"
    )


def test_a_replayed_packet(v4: Pair) -> None:
    request, reply = v4.frames
    again = replace(request, number=3)
    reason = (
        "frame 3, SPI 0xc0000001 sequence number 1: replay: frame 1 had sequence number 1 already"
    )
    assert flaws([request, reply, again], v4) == {Flaw.REPLAY: reason}


def test_a_replay_carries_no_second_message(v4: Pair) -> None:
    request, reply = v4.frames
    frames = [request, reply, replace(request, number=3)]
    verdict = verify(frames, v4.sas, [*v4.messages, v4.request])
    assert [failure.flaw for failure in verdict.failures] == [Flaw.REPLAY, Flaw.MISSING]
    assert verdict.esp[2].icv_ok
    assert verdict.esp[2].inner is None


def test_another_packet_under_a_used_sequence_number(v4: Pair) -> None:
    other = builder.carry(v4.there, 1, replace(v4.request, sequence=2))
    assert list(flaws(builder.capture([*v4.packets, other]), v4)) == [Flaw.REPLAY]


def test_sequence_numbers_that_fall(v4: Pair) -> None:
    extra = [builder.carry(v4.there, n, replace(v4.request, sequence=n)) for n in (9, 8)]
    reason = "frame 4, SPI 0xc0000001 sequence number 8: sequence number 8 comes after 9"
    assert flaws(builder.capture([*v4.packets, *extra]), v4) == {Flaw.SEQUENCE: reason}


def test_sequence_number_zero(v4: Pair) -> None:
    frames = builder.capture([builder.carry(v4.there, 0, v4.request), v4.packets[1]])
    assert list(flaws(frames, v4)) == [Flaw.SEQUENCE, Flaw.MISSING]


def test_a_forged_packet_moves_no_sequence_number(v4: Pair) -> None:
    forger = replace(v4.there, integrity_key=bytes(64))
    forged = builder.carry(forger, 50, v4.request)
    found = flaws(builder.capture([forged, *v4.packets]), v4)
    assert list(found) == [Flaw.ICV]


def test_a_message_that_was_never_carried(v4: Pair) -> None:
    assert flaws([v4.frames[1]], v4) == {Flaw.MISSING: f"{MISSING}no good ESP packet carried it"}


@pytest.mark.parametrize("change", ["identifier", "sequence", "kind", "direction"])
def test_a_message_that_is_another(v4: Pair, change: str) -> None:
    other = {
        "identifier": replace(v4.request, identifier=927),
        "sequence": replace(v4.request, sequence=2),
        "kind": replace(v4.request, is_reply=True),
        "direction": v4.request.reply(),
    }[change]
    packets = [builder.carry(v4.there, 1, other), v4.packets[1]]
    assert list(flaws(builder.capture(packets), v4)) == [Flaw.MISSING]


def test_an_echo_with_a_code_is_none(v4: Pair) -> None:
    message = bytearray(builder.icmp(v4.request))
    message[1] = 1
    message[2:4] = bytes(2)
    message[2:4] = builder.internet_checksum(bytes(message)).to_bytes(2)
    frame = esp_frame(v4, builder.esp(v4.there, 1, 1, bytes(message)))
    assert list(flaws([frame, v4.frames[1]], v4)) == [Flaw.MISSING]


def test_an_ipv4_echo_in_ipv6_is_none(v6: Pair) -> None:
    v4_echo = replace(v6.request, src="192.0.2.1", dst="192.0.2.2")
    frame = esp_frame(v6, builder.esp(v6.there, 1, 1, builder.icmp(v4_echo)))
    assert list(flaws([frame, v6.frames[1]], v6)) == [Flaw.MISSING]


def test_a_message_with_other_octets(v4: Pair) -> None:
    altered = replace(v4.request, payload=builder.octets(56, 6))
    packets = [builder.carry(v4.there, 1, altered), v4.packets[1]]
    assert flaws(builder.capture(packets), v4) == {
        Flaw.ALTERED: f"{MISSING}ESP in frame 1 carried other octets"
    }


def test_one_packet_accounts_for_one_message(v4: Pair) -> None:
    verdict = verify(v4.frames, v4.sas, [v4.request, v4.request])
    assert [failure.flaw for failure in verdict.failures] == [Flaw.MISSING]


def test_a_wrong_integrity_key(v4: Pair) -> None:
    wrong = replace(v4.there, integrity_key=bytes(64))
    assert list(flaws(v4.frames, v4, [wrong, v4.back])) == [Flaw.ICV, Flaw.MISSING]


def test_a_wrong_encryption_key(v4: Pair) -> None:
    wrong = replace(v4.there, encryption_key=bytes(32))
    verdict = verify(v4.frames, [wrong, v4.back], v4.messages)
    assert [failure.flaw for failure in verdict.failures] == [Flaw.PADDING, Flaw.MISSING]
    assert "a wrong encryption key looks like this" in verdict.failures[0].reason
    assert (verdict.esp[0].icv_ok, verdict.esp[0].decrypted) == (True, False)


def test_a_wrong_truncation(v4: Pair) -> None:
    wrong = replace(v4.there, icv_bits=128)
    assert list(flaws(v4.frames, v4, [wrong, v4.back])) == [Flaw.ICV, Flaw.MISSING]


@pytest.mark.parametrize("padding", [bytes(6), bytes(range(6)), bytes(range(1, 6)) + b"\x07"])
def test_wrong_padding(v4: Pair, padding: bytes) -> None:
    data = builder.icmp(v4.request)[:56]
    frame = esp_frame(v4, builder.esp(v4.there, 1, 1, data, padding))
    found = flaws([frame, v4.frames[1]], v4)
    assert found[Flaw.PADDING].startswith(f"{ESP_1}the padding is not 1, 2, … 6")


@pytest.mark.parametrize("pad_length", [7, 14, 15, 255])
def test_a_pad_length_that_is_not_so(v4: Pair, pad_length: int) -> None:
    octets = builder.esp(v4.there, 1, 1, bytes(8), bytes(range(1, 7)), pad_length=pad_length)
    assert Flaw.PADDING in flaws([esp_frame(v4, octets)], v4)


def test_an_unknown_spi(v4: Pair) -> None:
    found = flaws(v4.frames, v4, [v4.back])
    reason = "no host reports an SA with SPI 0xc0000001 to 192.168.0.2"
    assert found[Flaw.UNKNOWN_SPI] == f"{ESP_1}{reason}"


def test_an_spi_that_is_another_hosts(v4: Pair) -> None:
    elsewhere = replace(v4.there, dst="192.168.0.3")
    found = flaws(v4.frames, v4, [elsewhere, v4.back])
    assert found[Flaw.UNKNOWN_SPI].endswith("to 192.168.0.2; one to 192.168.0.3 has that SPI")


def test_an_sa_used_from_another_address(v4: Pair) -> None:
    packet = replace(v4.there, src="192.168.0.9")
    frames = builder.capture([builder.carry(packet, 1, v4.request), v4.packets[1]])
    reason = "it comes from 192.168.0.9, the SA is from 192.168.0.1"
    assert flaws(frames, v4)[Flaw.WRONG_ADDRESS] == f"{ESP_1}{reason}"


def test_an_sa_used_by_another_port(v4: Pair) -> None:
    second = builder.carry(v4.there, 2, replace(v4.request, sequence=2))
    frames = builder.capture([*v4.packets, second], ["alice", "bob", "mallory"])
    found = flaws(frames, v4)
    assert list(found) == [Flaw.WRONG_SENDER]
    assert found[Flaw.WRONG_SENDER].endswith("mallory sent it, alice the earlier ones")


def test_hosts_that_disagree_about_an_sa(v4: Pair) -> None:
    sas = [replace(sa, host="alice") for sa in v4.sas]
    for change in ({"encryption_key": bytes(32)}, {"integrity_key": bytes(64)}, {"icv_bits": 128}):
        other = replace(sas[0], host="bob", **change)
        assert flaws(v4.frames, v4, [*sas, other]) == {
            Flaw.KEYS_DIFFER: "alice and bob report different keys or algorithms for "
            "an SA with SPI 0xc0000001 to 192.168.0.2"
        }


@pytest.mark.parametrize(
    "change",
    [
        {"encryption": "cbc(serpent)"},
        {"integrity": ""},
        {"integrity": "hmac(md5)"},
        {"encryption_key": bytes(31)},
        {"icv_bits": 0},
        {"icv_bits": 1024},
        {"icv_bits": 100},
        {
            "encryption": "rfc4106(gcm(aes))",
            "encryption_key": bytes(36),
            "integrity": "",
            "icv_bits": 64,
        },
    ],
)
def test_an_sa_that_cannot_be_checked(v4: Pair, change: dict[str, object]) -> None:
    odd = replace(v4.there, **change)  # type: ignore[arg-type]
    assert list(flaws(v4.frames, v4, [odd, v4.back])) == [Flaw.UNSUPPORTED, Flaw.MISSING]


@pytest.mark.parametrize("length", [0, 3, 7, 8, 40, 56, 73])
def test_esp_that_is_too_short(v4: Pair, length: int) -> None:
    octets = builder.esp(v4.there, 1, 1, builder.icmp(v4.request))[:length]
    frame = replace(esp_frame(v4, octets), number=3)
    found = flaws([*v4.frames, frame], v4)
    assert list(found) == [Flaw.MALFORMED]
    assert f"{length} octets" in found[Flaw.MALFORMED]


def test_fragments_that_overlap(v4: Pair) -> None:
    addresses = ("192.168.0.1", "192.168.0.2")
    pieces = [
        builder.ip_fragment(*addresses, builder.ESP, bytes(64), 0, more=True),
        builder.ip_fragment(*addresses, builder.ESP, bytes(64), 32, more=False),
    ]
    assert Flaw.FRAGMENT in flaws(builder.capture([*v4.packets, *pieces]), v4)


@pytest.mark.parametrize(
    ("next_header", "data"),
    [
        (4, b""),
        (4, bytes(40)),
        (4, b"\x45\x00\x01\x00" + bytes(36)),
        (41, builder.ip("10.1.0.5", "10.2.0.7", 6, bytes(20))),
        (6, builder.ip("10.1.0.5", "10.2.0.7", 6, bytes(20))),
    ],
)
def test_a_tunnel_with_no_ip_packet_inside(tunnel: Pair, next_header: int, data: bytes) -> None:
    packet = plain(tunnel, builder.ESP, builder.esp(tunnel.there, 2, next_header, data))
    assert list(flaws(builder.capture([*tunnel.packets, packet]), tunnel)) == [Flaw.INNER]


@pytest.mark.parametrize("case", ["v4", "v6"])
def test_an_inner_checksum_that_is_wrong(case: str, request: Any) -> None:
    pair: Pair = request.getfixturevalue(case)
    message = bytearray(builder.icmp(pair.request))
    message[-1] ^= 1
    octets = builder.esp(pair.there, 1, 58 if case == "v6" else 1, bytes(message))
    assert list(flaws([esp_frame(pair, octets), pair.frames[1]], pair)) == [
        Flaw.INNER,
        Flaw.MISSING,
    ]


def test_a_transport_sa_that_the_kernel_calls_tunnel(v4: Pair) -> None:
    sas = [replace(sa, mode=Mode.TUNNEL) for sa in v4.sas]
    assert list(flaws(v4.frames, v4, sas)) == [Flaw.INNER, Flaw.MISSING]


def test_an_empty_proof_is_none(v4: Pair) -> None:
    assert [failure.flaw for failure in verify([], [], []).failures] == [Flaw.NOTHING]
    assert not verify([], v4.sas, v4.messages).ok


@pytest.mark.parametrize("end", [0, 1], ids=["source", "destination"])
def test_what_an_sa_is_not_there_for(tunnel: Pair, end: int) -> None:
    sites = ["10.1.0.0/16", "10.2.0.0/16"]
    sites[end] = "10.7.0.0/16"
    stricter = replace(tunnel.there, selectors=((sites[0], sites[1]),), host="bob")
    found = flaws(tunnel.frames, tunnel, [tunnel.there, stricter, tunnel.back])
    assert found[Flaw.OUTSIDE_POLICY] == (
        f"{ESP_1}ICMP echo request 10.1.0.5 → 10.2.0.7 id 926 seq 1 was inside, "
        f"where only {sites[0]} → {sites[1]} may be"
    )
    assert Flaw.MISSING in found


def test_a_red_link_is_no_place_for_bad_esp(tunnel: Pair) -> None:
    frames = [flip(tunnel.frames[0], -1), tunnel.frames[1]]
    verdict = verify(frames, tunnel.sas, (), red=True)
    assert [failure.flaw for failure in verdict.failures] == [Flaw.ICV]


def test_addresses_that_differ_without_nat(tunnel: Pair) -> None:
    other = replace(tunnel.there, src="10.0.0.9", host="alice")
    assert Flaw.KEYS_DIFFER in flaws(tunnel.frames, tunnel, [tunnel.there, other, tunnel.back])
