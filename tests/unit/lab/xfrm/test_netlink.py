# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel tells of SAs, message by message (keys made up), and what is read from it.

That real kernels write the same is seen in tests/e2e/test_check.py, where iproute2 is the witness.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from lab.agent.recorder import Recorder
from lab.errors import LabError
from lab.xfrm.ip_output import Algorithm
from lab.xfrm.netlink import read_messages

NEWSA = 0x10
CRYPT, ENCAP, AEAD, AUTH_TRUNC, REPLAY_VAL, REPLAY_ESN_VAL = 2, 4, 18, 20, 10, 23
KEY = bytes(range(32))


def padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def attribute(kind: int, octets: bytes) -> bytes:
    return padded(struct.pack("=HH", 4 + len(octets), kind) + octets)


def algorithm(name: bytes, key: bytes, *icv_bits: int) -> bytes:
    """struct xfrm_algo, or xfrm_algo_auth and xfrm_algo_aead with `icv_bits`."""
    return struct.pack(f"=64sI{len(icv_bits)}I", name, 8 * len(key), *icv_bits) + key


def message(
    src: str, dst: str, spi: int, *attributes: bytes, mode: int = 0, flags: int = 0
) -> bytes:
    """A XFRM_MSG_NEWSA: struct nlmsghdr, struct xfrm_usersa_info, attributes."""
    family = socket.AF_INET if ip_address(src).version == 4 else socket.AF_INET6
    here, there = (ip_address(a).packed.ljust(16, b"\0") for a in (src, dst))
    bits = 32 if family == socket.AF_INET else 128
    selector = there + here + struct.pack("=8xHBBB3xII", family, bits, bits, 0, 0, 0)
    identity = there + struct.pack(">IB3x", spi, 50)
    lifetimes = struct.pack("=8Q4Q", *([2**64 - 1] * 4), 30, 60, 0, 0, 128, 2, 1, 1)
    rest = struct.pack("=3I2IHBBB7x", 0, 0, 0, 0, 7, family, mode, 32, flags)
    body = selector + identity + here + lifetimes + rest + b"".join(attributes)
    assert len(selector) == 56
    assert len(body) - sum(map(len, attributes)) == 224
    return struct.pack("=IHHII", 16 + len(body), NEWSA, 0, 0, 0) + body


CBC = attribute(CRYPT, algorithm(b"cbc(aes)", KEY))
HMAC = attribute(AUTH_TRUNC, algorithm(b"hmac(sha512)", KEY + KEY, 256))
GCM = attribute(AEAD, algorithm(b"rfc4106(gcm(aes))", KEY + b"salt", 128))


def test_an_sa_with_encryption_and_icv() -> None:
    other = attribute(REPLAY_VAL, bytes(12))
    (state,) = read_messages(message("192.0.2.1", "192.0.2.2", 0xC0FFEE02, other, HMAC, CBC))
    assert (state.src, state.dst, state.proto) == ("192.0.2.1", "192.0.2.2", "esp")
    assert (state.spi, state.reqid, state.mode) == (0xC0FFEE02, 7, "transport")
    assert state.encryption == Algorithm("cbc(aes)", KEY)
    assert state.integrity == Algorithm("hmac(sha512)", KEY + KEY, 256)
    assert (state.aead, state.encap, state.esn) == (None, None, False)
    assert (state.octets, state.packets, state.replay_window) == (128, 2, 32)
    assert state.selector == ("192.0.2.1/32", "192.0.2.2/32")


def test_an_sa_with_an_aead_in_udp() -> None:
    ports = attribute(ENCAP, struct.pack("=H", 2) + struct.pack(">HH", 4500, 4501) + bytes(18))
    replay = attribute(REPLAY_ESN_VAL, struct.pack("=8I", 2, 0, 0, 0, 0, 64, 0, 0))
    octets = message("2001:db8::1", "2001:db8::2", 0x100, ports, replay, GCM, mode=1, flags=128)
    (state,) = read_messages(octets)
    assert (state.src, state.dst, state.mode) == ("2001:db8::1", "2001:db8::2", "tunnel")
    assert state.aead == Algorithm("rfc4106(gcm(aes))", KEY + b"salt", 128)
    assert (state.encryption, state.integrity, state.encap) == (None, None, (4500, 4501))
    assert (state.esn, state.replay_window) == (True, 64)


def test_of_an_sa_that_was_updated_the_last_counts() -> None:
    first = message("192.0.2.1", "192.0.2.2", 0x100, CBC, HMAC)
    other = message("192.0.2.2", "192.0.2.1", 0x100, CBC, HMAC)
    last = message("192.0.2.1", "192.0.2.2", 0x100, GCM)
    states = read_messages(first + other + last)
    assert [(state.dst, state.aead is not None) for state in states] == [
        ("192.0.2.2", True),
        ("192.0.2.1", False),
    ]


def test_an_sa_that_is_only_asked_for_is_none() -> None:
    assert read_messages(message("192.0.2.1", "192.0.2.2", 0)) == []
    assert read_messages(b"") == []


@pytest.mark.parametrize("cut", [3, 17, 100, 230, 241, 300])
def test_half_a_message_is_told(cut: int) -> None:
    octets = message("192.0.2.1", "192.0.2.2", 0x100, CBC)
    with pytest.raises(LabError, match=r"not as <linux/xfrm\.h> says"):
        read_messages(octets[:cut])


def test_keys_do_not_show() -> None:
    shown = repr(read_messages(message("192.0.2.1", "192.0.2.2", 0x100, CBC, HMAC)))
    assert "hmac(sha512)" in shown
    assert r"\x01\x02" not in shown


def test_only_the_kernel_is_believed() -> None:
    """A netlink message from a process, which has a port, is none from the kernel."""
    usersock = 2
    ends = [socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, usersock) for _ in range(2)]
    with ends[0] as ours, ends[1] as theirs:
        ours.bind((0, 0))
        theirs.bind((0, 0))
        recorder = Recorder(ours)
        theirs.sendto(message("192.0.2.1", "192.0.2.2", 0x100, CBC), ours.getsockname())
        assert ours.recv(16, socket.MSG_PEEK)
        assert (recorder.fetch(), recorder.lost) == (b"", 0)
        with pytest.raises(BlockingIOError):
            ours.recv(16)
