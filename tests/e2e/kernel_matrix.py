# SPDX-License-Identifier: GPL-2.0-or-later
"""All kinds of policies and states, between alice and bob, for test_kernel_states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Final

from tkm.config.conf import render
from tkm.config.policy import Config, Lifetime, Local, LocalIdentity, Mode, Policy, Remote
from tkm.xfrm.model import StatePair

IPV4, IPV6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")
INSIDE4, INSIDE6 = ("10.1.0.1", "10.2.3.1"), ("2001:db8:a::1", "2001:db8:b:c::1")
ADDRESSES: Final = {
    name: (f"{IPV4[n]}/24", f"{IPV6[n]}/64", f"{INSIDE4[n]}/32", f"{INSIDE6[n]}/128")
    for n, name in enumerate(("alice", "bob"))
}
"""The network behind each of them is one address, its own."""
TALKS: Final = {1: IPV4, 2: IPV6, 3: INSIDE4, 4: INSIDE6, 5: INSIDE6, 6: INSIDE4}
"""Who talks to whom under each policy."""

NETS4, NETS6 = ("10.1.0.0/16", "10.2.3.0/24"), ("2001:db8:a::/48", "2001:db8:b:c::/64")
MORE4, MORE6 = ("10.1.0.0/16", "0.0.0.0/0"), ("::/0", "2001:db8:b::/48")
MIB: Final = 1 << 20


def policy(
    number: int, ends: tuple[str, str], nets: tuple[str, str] | None = None, *bounds: int
) -> Policy:
    """Of alice: in transport mode, or between these nets in tunnel mode."""
    local, remote = map(ip_address, ends)
    ours, theirs = map(ip_network, nets) if nets else (None, None)
    return Policy(
        number,
        Mode.TUNNEL if nets else Mode.TRANSPORT,
        Local(1, local, ours),
        Remote("peer@example.org", remote, theirs),
        Lifetime(*bounds),
    )


MATRIX: Final = {
    1: policy(1, IPV4, None, 30, 60),
    2: policy(2, IPV6, None, 0, 0),
    3: policy(3, IPV4, NETS4, 6900, 7200, MIB, 2 * MIB),
    4: policy(4, IPV6, NETS6, 0, 60, 0, 0, 1000, 2000),
    5: policy(5, IPV4, MORE6, 1000, 2000, 1, (1 << 63) - 1, 3, 4),
    6: policy(6, IPV6, MORE4, 50, 0, 60, 0, 70, 0),
}
ENTRIES: Final = 2 * 2 + 4 * 3 + 4
"""Of the SPD: in and out of two policies, and fwd too of four; and what exempts the neighbour
discovery of one."""
SHORT: Final = policy(100, ("192.0.2.1", "192.0.2.9"), None, 0, 1)
"""Its states last a second."""
_KINDS = (
    *((number, False, None) for number in MATRIX),
    *((number, True, None) for number in MATRIX),
    *((number, False, (4500, 1024 + number)) for number in MATRIX),
    (1, True, (4500, 4500)),
)
PAIRS: Final = [
    StatePair(MATRIX[number], bytes((0xC0, 0, 0, n)), bytes((0xFF, 0xFF, 0xFF, n)), esn, ports)
    for n, (number, esn, ports) in enumerate(_KINDS)
]


def installing(pair: StatePair) -> str:
    """The action of kernel_program that installs a pair."""
    esn = "esn" if pair.esn else ""
    ports = "{}-{}".format(*pair.encap) if pair.encap else ""
    return f"states {pair.policy.id} {pair.spi_in.hex()} {pair.spi_out.hex()} {esn} {ports}"


def _mirrored(policy: Policy) -> Policy:
    local, remote = policy.local, policy.remote
    return replace(
        policy,
        local=Local(1, remote.ip, remote.net),
        remote=replace(remote, ip=local.ip, net=local.net),
    )


def _conf(policies: Mapping[int, Policy]) -> bytes:
    identity = LocalIdentity(1, "own@example.org", "own.pem")
    return render(Config({1: identity}, dict(policies))).encode()


CONFS: Final = {
    "alice": _conf({**MATRIX, SHORT.id: SHORT}),
    "bob": _conf({number: _mirrored(each) for number, each in MATRIX.items()}),
}
"""The tkm.conf of both."""
