# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of NETLINK_XFRM against the kernel's structures, laid out once more by ctypes."""

import ctypes
import dataclasses
import errno
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.unit.tkm import structures as c
from tests.unit.tkm.configs import tunnel
from tests.unit.trusted import config_of
from tkm.config.policy import Lifetime, Mode
from tkm.crypto.secret import Secret
from tkm.errors import KernelError
from tkm.xfrm import abi
from tkm.xfrm import kernel as kernel_module
from tkm.xfrm.abi import Type
from tkm.xfrm.kernel import XfrmKernel
from tkm.xfrm.model import StateKeys, StatePair, hexadecimal
from tkm.xfrm.socket import Refusal, encode, make
from xfrm_proxy.events import AcquireMessage, ExpireMessage

INFINITE = (1 << 64) - 1
TRANSPORT = config_of("alice").policies[1]
TUNNEL = tunnel().policies[7]
PAIR = StatePair(TRANSPORT, b"\xc0\0\0\1", b"\xd0\0\0\2")


def keys(octet: bytes) -> StateKeys:
    return StateKeys(Secret(bytearray(octet * 32)), Secret(bytearray(octet.upper() * 64)))


class Socket:
    """In the place of a netlink socket: keeps the octets as they are sent."""

    def __init__(self, *refusals: int) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.buffers: list[bytearray] = []
        self.refusals = list(refusals)

    def request(self, octets: bytearray) -> None:
        self.sent.append((int.from_bytes(octets[4:6], "little"), bytes(octets[16:])))
        self.buffers.append(octets)
        code = self.refusals.pop(0) if self.refusals else 0
        if code:
            raise Refusal(code, "")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Any:
    sock = Socket()
    monkeypatch.setattr(kernel_module, "NetlinkSocket", lambda: sock)
    return sock


@pytest.mark.parametrize(
    ("message", "structure"),
    [
        (abi.StateMessage, c.UserSaInfo),
        (abi.StateIdMessage, c.UserSaId),
        (abi.PolicyMessage, c.UserPolicyInfo),
        (abi.FlushStatesMessage, c.UserSaFlush),
        (AcquireMessage, c.UserAcquire),
        (ExpireMessage, c.UserExpire),
    ],
)
def test_sizes_are_the_kernels(message: Any, structure: Any) -> None:
    assert len(encode(Type.NEWSA, make(message))) == 16 + (ctypes.sizeof(structure) + 3 & ~3)


def test_types_are_the_kernels() -> None:
    assert {name: int(Type[name]) for name in ("NEWSA", "DELSA", "UPDPOLICY", "ACQUIRE")} == {
        "NEWSA": 0x10, "DELSA": 0x11, "UPDPOLICY": 0x19, "ACQUIRE": 0x17,
    }  # fmt: skip
    assert (Type.EXPIRE, Type.FLUSHSA, Type.FLUSHPOLICY) == (0x18, 0x1C, 0x1D)


def attributes(octets: bytes) -> dict[int, bytes]:
    found = {}
    while octets:
        size = int.from_bytes(octets[:2], "little")
        found[int.from_bytes(octets[2:4], "little")] = octets[4:size]
        octets = octets[size + 3 & ~3 :]
    return found


def test_policies(sent: Any) -> None:
    XfrmKernel().add_policy(TUNNEL)
    directions = []
    for kind, octets in sent.sent:
        assert kind == Type.UPDPOLICY
        info = c.UserPolicyInfo.from_buffer_copy(octets)
        (template,) = attributes(octets[ctypes.sizeof(info) :]).values()
        given = c.UserTemplate.from_buffer_copy(template)
        directions.append(info.dir)
        outbound = info.dir == 1
        local, remote = ip_network("10.1.0.0/16"), ip_network("10.2.0.0/16")
        source, destination = (local, remote) if outbound else (remote, local)
        assert bytes(info.sel.saddr)[:4] == source.network_address.packed
        assert bytes(info.sel.daddr)[:4] == destination.network_address.packed
        assert (info.sel.prefixlen_s, info.sel.prefixlen_d, info.sel.family) == (16, 16, 2)
        ends = [ip_address("192.168.0.1").packed, ip_address("192.168.0.2").packed]
        found = [bytes(given.saddr)[:4], bytes(given.id.daddr)[:4]]
        assert found == (ends if outbound else ends[::-1])
        assert (given.id.proto, given.reqid, given.mode) == (50, 7, 1)
        assert (given.optional, given.share) == (0, 0)
        assert (info.priority, info.action) == (3843, 0)
        assert {info.lft.soft_byte_limit, info.lft.hard_packet_limit} == {INFINITE}
    assert directions == [1, 0, 2]


def test_no_forwarding_in_transport_mode(sent: Any) -> None:
    XfrmKernel().add_policy(TRANSPORT)
    found = [c.UserPolicyInfo.from_buffer_copy(octets) for _, octets in sent.sent]
    assert [info.dir for info in found] == [1, 0]
    assert {info.sel.prefixlen_s for info in found} == {32}


def test_states(sent: Any) -> None:
    kernel = XfrmKernel()
    kernel.add_inbound(PAIR, keys(b"i"))
    kernel.add_outbound(PAIR, keys(b"o"))
    for (kind, octets), octet, spi, ends in zip(
        sent.sent, (b"i", b"o"), (PAIR.spi_in, PAIR.spi_out), ((2, 1), (1, 2)), strict=True
    ):
        assert kind == Type.NEWSA
        info = c.UserSaInfo.from_buffer_copy(octets)
        assert bytes(info.id.spi) == spi
        assert (bytes(info.saddr)[3], bytes(info.id.daddr)[3]) == ends
        assert (info.id.proto, info.reqid, info.family, info.mode) == (50, 1, 2, 0)
        assert info.replay_window == 32
        assert (info.lft.soft_add_expires_seconds, info.lft.hard_add_expires_seconds) == (30, 60)
        assert (info.lft.soft_byte_limit, info.lft.hard_packet_limit) == (INFINITE, INFINITE)
        found = attributes(octets[ctypes.sizeof(info) :])
        assert found[2] == b"cbc(aes)".ljust(64, b"\0") + (256).to_bytes(4, "little") + octet * 32
        sizes = (512).to_bytes(4, "little") + (256).to_bytes(4, "little")
        assert found[20] == b"hmac(sha512)".ljust(64, b"\0") + sizes + octet.upper() * 64


def test_lifetimes_in_octets_and_packets(sent: Any) -> None:
    lifetime = Lifetime(0, 0, 5, 6, 7, 8)
    policy = dataclasses.replace(TRANSPORT, lifetime=lifetime)
    XfrmKernel().add_inbound(StatePair(policy, PAIR.spi_in, PAIR.spi_out), keys(b"i"))
    info = c.UserSaInfo.from_buffer_copy(sent.sent[0][1])
    assert (info.lft.soft_byte_limit, info.lft.hard_byte_limit) == (5, 6)
    assert (info.lft.soft_packet_limit, info.lft.hard_packet_limit) == (7, 8)
    assert (info.lft.soft_add_expires_seconds, info.lft.hard_add_expires_seconds) == (0, 0)


def test_ipv6(sent: Any) -> None:
    policy = dataclasses.replace(
        TRANSPORT,
        mode=Mode.TUNNEL,
        local=dataclasses.replace(TRANSPORT.local, ip=ip_address("2001:db8::1")),
        remote=dataclasses.replace(TRANSPORT.remote, ip=ip_address("2001:db8::2")),
    )
    kernel = XfrmKernel()
    kernel.add_policy(policy)
    kernel.add_outbound(StatePair(policy, PAIR.spi_in, PAIR.spi_out), keys(b"o"))
    info = c.UserPolicyInfo.from_buffer_copy(sent.sent[0][1])
    assert (info.sel.family, info.sel.prefixlen_d) == (10, 128)
    assert bytes(info.sel.daddr) == ip_address("2001:db8::2").packed
    state = c.UserSaInfo.from_buffer_copy(sent.sent[-1][1])
    assert (state.family, state.mode) == (10, 1)
    assert bytes(state.saddr) == ip_address("2001:db8::1").packed


def test_keys_do_not_stay_in_the_buffers(sent: Any) -> None:
    inbound = keys(b"i")
    XfrmKernel().add_inbound(PAIR, inbound)
    assert all(not any(buffer) for buffer in sent.buffers)
    assert bytes(inbound.encryption.octets) == b"i" * 32


def test_a_state_that_the_kernel_refuses(sent: Any) -> None:
    sent.refusals = [errno.EEXIST]
    with pytest.raises(KernelError, match="does not add a state of policy 1: File exists"):
        XfrmKernel().add_outbound(PAIR, keys(b"o"))
    assert [kind for kind, _ in sent.sent] == [Type.NEWSA]
    assert all(not any(buffer) for buffer in sent.buffers)


def test_states_that_have_expired_are_not_missed(sent: Any) -> None:
    sent.refusals = [errno.ESRCH, errno.ESRCH]
    XfrmKernel().delete_states(PAIR, sends=True)
    found = [c.UserSaId.from_buffer_copy(octets) for _, octets in sent.sent]
    assert [bytes(each.spi) for each in found] == [PAIR.spi_in, PAIR.spi_out]
    assert [bytes(each.daddr)[3] for each in found] == [1, 2]
    sent.refusals = [errno.EPERM]
    with pytest.raises(KernelError, match="Operation not permitted"):
        XfrmKernel().delete_states(PAIR, sends=True)


def test_flushing(sent: Any) -> None:
    XfrmKernel().flush()
    assert [kind for kind, _ in sent.sent] == [Type.FLUSHPOLICY, Type.SETDEFAULT, Type.FLUSHSA]
    policies, default, states = (octets for _, octets in sent.sent)
    assert (policies, default[:3], states[:1]) == (b"", bytes([2, 2, 2]), b"\0")


def test_a_policy_that_cannot_be_installed_leaves_everything_blocked(sent: Any) -> None:
    sent.refusals = [0, 0, errno.ENOMEM]
    with pytest.raises(KernelError, match="does not add policy 1"):
        XfrmKernel().protect([TRANSPORT])
    block = bytes([1, 1, 1])
    assert [kind for kind, _ in sent.sent] == [Type.SETDEFAULT, Type.UPDPOLICY, Type.UPDPOLICY]
    assert sent.sent[0][1][:3] == block


def test_two_policies_for_the_same_traffic(sent: Any) -> None:
    with pytest.raises(KernelError, match="policies 1 and 2 cover the same traffic"):
        XfrmKernel().protect([TRANSPORT, dataclasses.replace(TRANSPORT, id=2)])


def test_a_field_that_is_none() -> None:
    with pytest.raises(TypeError, match="StateIdMessage has no spii"):
        make(abi.StateIdMessage, spii=b"")


@pytest.mark.parametrize(
    ("spi", "shown"), [("c0000001", "C0000001"), ("00000100", "100"), ("0a9f4e47", "A9F4E47")]
)
def test_spis_are_shown_as_the_original_does(spi: str, shown: str) -> None:
    assert hexadecimal(bytes.fromhex(spi)) == shown
