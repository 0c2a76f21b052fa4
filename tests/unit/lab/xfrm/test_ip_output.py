# SPDX-License-Identifier: GPL-2.0-or-later
"""The output of iproute2 6.1 on real SAs and policies (keys made up), and what is read from it."""

from __future__ import annotations

from lab.xfrm.ip_output import Algorithm, read_policies, read_states

KEY = "0x" + "11" * 32
STATES = f"""\
src 192.168.0.2 dst 192.168.0.1
    proto esp spi 0xc0ffee02(3237998082) reqid 1(0x00000001) mode transport
    replay-window 32 seq 0x00000000 flag  (0x00000000)
    auth-trunc hmac(sha512) {KEY} (256 bits) 256
    enc cbc(aes) {KEY} (256 bits)
    anti-replay context: seq 0x2, oseq 0x0, bitmap 0x00000003
    sel src 192.168.0.2/32 dst 192.168.0.1/32 uid 0
    lifetime config:
      limit: soft (INF)(bytes), hard (INF)(bytes)
      limit: soft (INF)(packets), hard (INF)(packets)
      expire add: soft 30(sec), hard 60(sec)
      expire use: soft 0(sec), hard 0(sec)
    lifetime current:
      128(bytes), 2(packets)
      add 2026-11-21 18:58:12 use 2026-11-21 18:58:12
    stats:
      replay-window 0 replay 0 failed 0
src 2001:db8::1 dst 2001:db8::2
    proto esp spi 0x00000100(256) reqid 7(0x00000007) mode tunnel
    replay-window 0 seq 0x00000000 flag af-unspec esn (0x00100080)
    aead rfc4106(gcm(aes)) {KEY} (288 bits) 128
    encap type espinudp sport 4500 dport 4501 addr 0.0.0.0
    anti-replay esn context:
     seq-hi 0x0, seq 0x2, oseq-hi 0x0, oseq 0x0
     replay_window 64, bitmap-length 2
     00000000 00000003
    lifetime current:
      0(bytes), 0(packets)
src 192.168.0.1 dst 192.168.0.2
    proto esp spi 0x00000000(0) reqid 1(0x00000001) mode transport
    replay-window 0 seq 0x00000001 flag  (0x00000000)
    sel src 192.168.0.1/32 dst 192.168.0.2/32 proto icmp type 8 code 0 uid 0
"""

POLICIES = """\
src 192.168.0.2/32 dst 192.168.0.1/32 uid 0
    dir in action allow index 24 priority 3843 share any flag  (0x00000000)
    lifetime config:
      limit: soft (INF)(bytes), hard (INF)(bytes)
    tmpl src 0.0.0.0 dst 0.0.0.0
        proto esp spi 0x00000000(0) reqid 1(0x00000001) mode transport
        level required share any
src 10.1.0.0/16 dst 10.2.0.0/16 uid 0
    dir out action allow index 33 priority 3843 share any flag  (0x00000000)
    tmpl src 192.0.2.1 dst 192.0.2.2
        proto esp spi 0x00000000(0) reqid 2(0x00000002) mode tunnel
        level required share any
src 0.0.0.0/0 dst 0.0.0.0/0 uid 0
    socket in action allow index 3 priority 0 ptype main share any flag  (0x00000000)
"""


def test_an_sa_with_encryption_and_icv() -> None:
    state = read_states(STATES)[0]
    key = bytes.fromhex("11" * 32)
    assert (state.src, state.dst, state.spi) == ("192.168.0.2", "192.168.0.1", 0xC0FFEE02)
    assert state.integrity == Algorithm("hmac(sha512)", key, 256)
    assert state.encryption == Algorithm("cbc(aes)", key)
    assert (state.mode, state.reqid, state.replay_window) == ("transport", 1, 32)
    assert (state.octets, state.packets, state.esn) == (128, 2, False)
    assert state.selector == ("192.168.0.2/32", "192.168.0.1/32")


def test_an_sa_with_an_aead_in_udp() -> None:
    state = read_states(STATES)[1]
    assert state.aead == Algorithm("rfc4106(gcm(aes))", bytes.fromhex("11" * 32), 128)
    assert state.encryption is None
    assert state.integrity is None
    assert state.encap == (4500, 4501)
    assert (state.esn, state.replay_window) == (True, 64)
    assert state.selector is None


def test_an_acquire_is_no_sa() -> None:
    assert [state.spi for state in read_states(STATES)] == [0xC0FFEE02, 0x100]


def test_keys_do_not_show() -> None:
    assert "11" * 8 not in repr(read_states(STATES))
    assert r"\x11" not in repr(read_states(STATES))


def test_policies_without_those_of_sockets() -> None:
    inbound, outbound = read_policies(POLICIES)
    assert (inbound.direction, inbound.priority, inbound.mode) == ("in", 3843, "transport")
    assert inbound.tunnel is None
    assert (outbound.src, outbound.dst, outbound.reqid) == ("10.1.0.0/16", "10.2.0.0/16", 2)
    assert outbound.tunnel == ("192.0.2.1", "192.0.2.2")


def test_nothing_is_nothing() -> None:
    assert read_states("") == []
    assert read_policies("") == []
