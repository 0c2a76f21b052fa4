# SPDX-License-Identifier: GPL-2.0-or-later
"""What must pass: good ESP in all its shapes, made by hand, by scapy, and by a real kernel."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation

from lab.check.proof import Echo, Mode, Sa, Verdict, read_pcap
from lab.check.proof.engine import verify

from . import builder
from .conftest import Pair

VECTORS = Path(__file__).parents[4] / "vectors"


def reasons(verdict: Verdict) -> list[str]:
    return [failure.reason for failure in verdict.failures]


@pytest.mark.parametrize("case", ["v4", "v6", "tunnel", "tunnel6"])
def test_request_and_reply_are_found_in_their_esp_packets(case: str, request: Any) -> None:
    pair: Pair = request.getfixturevalue(case)
    verdict = verify(pair.frames, pair.sas, pair.messages)
    assert reasons(verdict) == []
    assert verdict.ok
    assert [(d.message, d.carried_by) for d in verdict.deliveries] == [
        (pair.messages[0], (verdict.esp[0],)),
        (pair.messages[1], (verdict.esp[1],)),
    ]
    first = verdict.esp[0]
    assert (first.frames, first.sender, first.time) == ((1,), "alice", 1000.01)
    assert (first.src, first.dst) == (pair.there.src, pair.there.dst)
    assert (first.spi, first.sequence) == (0xC0000001, 1)
    assert (first.icv_ok, first.decrypted, first.in_udp, first.failure) == (True, True, False, None)
    assert first.inner
    assert (first.inner.src, first.inner.dst) == (pair.request.src, pair.request.dst)
    assert first.inner.payload == builder.icmp(pair.request)
    name = "ICMPv6" if ":" in pair.request.src else "ICMP"
    route = f"{pair.request.src} → {pair.request.dst}"
    assert first.inner.text == f"{name} echo request {route} id 926 seq 1"


def test_addresses_may_be_spelt_in_any_way(v6: Pair) -> None:
    long, short = "FD00:0:0:0::0001", "fd00:0::2"
    sas = [replace(v6.there, src=long, dst=short), replace(v6.back, src=short, dst=long)]
    messages = [replace(v6.request, src=long, dst=short)]
    assert reasons(verify(v6.frames, sas, messages)) == []


def test_the_order_of_messages_and_packets_may_differ(v4: Pair) -> None:
    second = replace(v4.request, sequence=2)
    packets = [builder.carry(v4.there, n, echo) for n, echo in ((1, second), (2, v4.request))]
    verdict = verify(builder.capture(packets), v4.sas, [v4.request, second])
    assert verdict.ok
    assert [d.carried_by[0].sequence for d in verdict.deliveries] == [2, 1]


def test_what_was_sent_twice_may_be_carried_twice(v4: Pair) -> None:
    packets = [builder.carry(v4.there, number, v4.request) for number in (1, 2)]
    verdict = verify(builder.capture(packets), v4.sas, [v4.request, v4.request])
    assert verdict.ok
    assert [d.carried_by[0].sequence for d in verdict.deliveries] == [1, 2]


def test_sequence_numbers_may_be_left_out(v4: Pair) -> None:
    packets = [builder.carry(v4.there, number, v4.request) for number in (5, 900)]
    assert verify(builder.capture(packets), v4.sas, [v4.request]).ok


def test_permitted_company_is_counted(v4: Pair, v6: Pair) -> None:
    solicitation = builder.ip("fe80::1", "ff02::1:ff00:2", 58, bytes([135]) + bytes(23), hops=255)
    report = bytes([58, 0, 5, 2, 0, 0, 1, 0, 143]) + bytes(19)
    packets = [
        *v4.packets,
        builder.ip("192.168.0.1", "192.168.0.2", 17, builder.udp(500, 500, builder.ike())),
        builder.ip("fd00::1", "fd00::2", 17, builder.udp(4500, 4500, bytes(4) + builder.ike())),
        builder.ip("192.168.0.1", "192.168.0.2", 17, builder.udp(4500, 4500, b"\xff")),
        solicitation,
        builder.ip("fe80::1", "ff02::16", 0, report, hops=1),
    ]
    frames = builder.capture(packets)
    arp = replace(frames[0], number=8, octets=bytes(12) + b"\x08\x06" + bytes(46))
    verdict = verify([*frames, arp], v4.sas, v4.messages)
    assert reasons(verdict) == []
    assert verdict.frames == 8
    assert verdict.other == {
        "ARP": 1,
        "IKE": 2,
        "NAT keepalive": 1,
        "multicast listener report": 1,
        "neighbour discovery": 1,
    }


@pytest.mark.parametrize(
    "addresses", [("203.0.113.9", "192.168.0.2"), ("192.168.0.1", "198.51.100.7")]
)
def test_esp_in_udp_and_a_nat_on_either_side(v4: Pair, addresses: tuple[str, str]) -> None:
    src, dst = addresses
    data = builder.esp(v4.there, 1, 1, builder.icmp(v4.request))
    packet = builder.ip(src, dst, 17, builder.udp(31337, 4500, data))
    seen = replace(v4.request, src=src, dst=dst)
    verdict = verify(builder.capture([packet]), v4.sas, [seen])
    assert reasons(verdict) == []
    assert verdict.esp[0].in_udp


def test_aes_gcm_and_aes_cbc_with_sha256(v4: Pair) -> None:
    gcm = replace(
        v4.there,
        encryption="rfc4106(gcm(aes))",
        encryption_key=builder.octets(36, 9),
        integrity="",
        integrity_key=b"",
        icv_bits=128,
    )
    sha256 = replace(v4.back, integrity="hmac(sha256)", icv_bits=128)
    packets = [builder.carry(gcm, 1, v4.request), builder.carry(sha256, 1, v4.request.reply())]
    assert reasons(verify(builder.capture(packets), [gcm, sha256], v4.messages)) == []


@pytest.mark.parametrize("case", ["v4", "v6"])
def test_esp_that_ip_has_fragmented(case: str, request: Any) -> None:
    pair: Pair = request.getfixturevalue(case)
    large = replace(pair.request, payload=builder.octets(3000, 3))
    protocol = 58 if case == "v6" else 1
    data = builder.esp(pair.there, 1, protocol, builder.icmp(large))
    pieces = builder.ip_fragments(pair.there.src, pair.there.dst, builder.ESP, data, 1400)
    frames = builder.capture([pieces[2], pieces[0], pieces[1]])
    verdict = verify(frames, pair.sas, [large])
    assert reasons(verdict) == []
    assert verdict.esp[0].frames == (1, 2, 3)


@pytest.mark.parametrize("case", ["tunnel", "tunnel6"])
def test_a_message_in_several_esp_packets(case: str, request: Any) -> None:
    pair: Pair = request.getfixturevalue(case)
    large = replace(pair.request, payload=builder.octets(2000, 3))
    protocol, next_header = (58, 41) if case == "tunnel6" else (1, 4)
    pieces = builder.ip_fragments(large.src, large.dst, protocol, builder.icmp(large), 1400)
    packets = [
        builder.ip(
            pair.there.src,
            pair.there.dst,
            builder.ESP,
            builder.esp(pair.there, number, next_header, piece),
        )
        for number, piece in enumerate(pieces, 1)
    ]
    verdict = verify(builder.capture(packets), pair.sas, [large])
    assert reasons(verdict) == []
    assert verdict.deliveries[0].carried_by == verdict.esp
    assert len(verdict.esp) == 2


def test_traffic_flow_padding_and_dummy_packets(tunnel: Pair) -> None:
    padded = builder.ip(tunnel.request.src, tunnel.request.dst, 1, builder.icmp(tunnel.request))
    sealed = [
        builder.esp(tunnel.there, 1, 4, padded + bytes(100)),
        builder.esp(tunnel.there, 2, 59, bytes(80)),
    ]
    packets = [builder.ip("192.168.0.1", "192.168.0.2", builder.ESP, one) for one in sealed]
    verdict = verify(builder.capture(packets), tunnel.sas, [tunnel.request])
    assert reasons(verdict) == []
    assert verdict.esp[1].inner is None
    assert verdict.esp[1].decrypted


def test_both_ends_may_report_an_sa(v4: Pair) -> None:
    twice = [replace(sa, host=host) for sa in v4.sas for host in ("alice", "bob")]
    assert verify(v4.frames, twice, v4.messages).ok


def scapy_sa(sa: Sa) -> SecurityAssociation:
    return SecurityAssociation(
        ESP,
        spi=sa.spi,
        crypt_algo="AES-CBC",
        crypt_key=sa.encryption_key,
        auth_algo="SHA2-512-256",
        auth_key=sa.integrity_key,
        tunnel_header=IP(src=sa.src, dst=sa.dst) if sa.mode is Mode.TUNNEL else None,
    )


def test_scapys_own_esp(v4: Pair, v6: Pair, tunnel: Pair) -> None:
    for pair in (v4, v6, tunnel):
        echo = pair.request
        if ":" in echo.src:
            message = ICMPv6EchoRequest(id=echo.identifier, seq=echo.sequence, data=echo.payload)
            packet = IPv6(src=echo.src, dst=echo.dst) / message
        else:
            message = ICMP(id=echo.identifier, seq=echo.sequence) / echo.payload
            packet = IP(src=echo.src, dst=echo.dst) / message
        sealed = bytes(scapy_sa(pair.there).encrypt(packet))
        verdict = verify(builder.capture([sealed]), pair.sas, [echo])
        assert reasons(verdict) == []
        assert verdict.deliveries[0].carried_by == verdict.esp


def recorded() -> tuple[list[Sa], list[Echo]]:
    vector = json.loads((VECTORS / "esp-recorded.json").read_text())
    sas = [
        Sa(
            **{
                **sa,
                "spi": int(sa["spi"], 16),
                "mode": Mode(sa["mode"]),
                "encryption_key": bytes.fromhex(sa["encryption_key"]),
                "integrity_key": bytes.fromhex(sa["integrity_key"]),
            }
        )
        for sa in vector["sas"]
    ]
    echoes = [
        Echo(**{**one, "payload": bytes.fromhex(one["payload"])}) for one in vector["messages"]
    ]
    return sas, echoes


def test_recorded_traffic_of_a_real_kernel() -> None:
    sas, echoes = recorded()
    messages = [*echoes, *(echo.reply() for echo in echoes)]
    frames = read_pcap((VECTORS / "esp-recorded.pcap").read_bytes())
    verdict = verify(frames, sas, messages)
    assert reasons(verdict) == []
    assert len(messages) == len(verdict.esp) == 8
    assert [d.carried_by[0].sequence for d in verdict.deliveries] == [1, 2, 3, 4, 1, 2, 3, 4]
    assert {d.carried_by[0].spi for d in verdict.deliveries[:4]} == {0xB3C3C8FF}
    assert {d.carried_by[0].spi for d in verdict.deliveries[4:]} == {0x7B0E7524}
    assert verdict.other == {
        "ARP": 4,
        "IKE": 2,
        "multicast listener report": 1,
        "neighbour discovery": 4,
    }


def test_recorded_traffic_with_one_bit_flipped_anywhere_in_an_esp_packet() -> None:
    sas, _ = recorded()
    frames = read_pcap((VECTORS / "esp-recorded.pcap").read_bytes())
    esp = next(frame for frame in frames if frame.octets[23] == builder.ESP)
    for position in range(34, len(esp.octets)):
        flipped = bytearray(esp.octets)
        flipped[position] ^= 1 << position % 8
        verdict = verify([replace(esp, octets=bytes(flipped))], sas, [])
        flaw = verdict.failures[0].flaw
        assert flaw == ("unknown SPI" if position < 38 else "ICV wrong"), position


def test_the_verdict_as_json_holds_no_key(v4: Pair) -> None:
    verdict = verify(v4.frames, v4.sas, v4.messages)
    text = json.dumps(verdict.to_json())
    assert json.loads(text)["ok"] is True
    assert json.loads(text)["messages"][0]["carried_by"] == [
        {"frame": 1, "spi": "0xc0000001", "sequence": 1}
    ]
    assert json.loads(text)["esp"][1]["inner"].startswith("ICMP echo reply 192.168.0.2")
    for sa in v4.sas:
        for key in (sa.encryption_key, sa.integrity_key):
            assert key.hex() not in text
            assert repr(key) not in repr(sa)
            assert repr(key) not in repr(verdict)


def test_plain_text_on_a_red_link(tunnel: Pair) -> None:
    """ESP there is verified as everywhere; plain text is counted."""
    plain = builder.ip("10.1.0.5", "10.1.0.6", builder.ICMP, builder.icmp(tunnel.request))
    frames = builder.capture([plain, *tunnel.packets])
    verdict = verify(frames, tunnel.sas, tunnel.messages, red=True)
    assert verdict.ok
    assert verdict.other == {"plain text": 1}


def test_what_an_sa_carries_is_within_its_policy(tunnel: Pair) -> None:
    sites = ("10.1.0.0/16", "10.2.0.0/16")
    others = ("10.9.0.0/16", "10.9.0.0/16")
    there = replace(tunnel.there, selectors=(others, sites))
    back = replace(tunnel.back, selectors=(others, (sites[1], sites[0])))
    assert verify(tunnel.frames, [there, back], tunnel.messages).ok


def test_behind_nat_each_end_reports_the_addresses_that_it_knows(v4: Pair) -> None:
    inside = replace(v4.there, src="10.0.0.9", in_udp=True, host="alice")
    outside = replace(v4.there, in_udp=True, host="bob")
    data = builder.esp(v4.there, 1, 1, builder.icmp(v4.request))
    packet = builder.ip(v4.there.src, v4.there.dst, 17, builder.udp(31337, 4500, data))
    verdict = verify(builder.capture([packet]), [inside, outside], [v4.request])
    assert reasons(verdict) == []
