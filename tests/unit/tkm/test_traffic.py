# SPDX-License-Identifier: GPL-2.0-or-later
"""A packet hits the most specific policy, whatever the order in the configuration."""

import dataclasses
import itertools
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.tkm.configs import tunnel
from tests.unit.tkm.test_kernel import run
from tkm.config import conf, traffic
from tkm.config.policy import Config, Policy, faults
from tkm.config.traffic import PRIORITY, Selectors, overlaps, priorities
from tkm.errors import ConfigError
from tkm_cfgtool import xml

BASES = {4: ip_address("10.0.0.0"), 6: ip_address("fd00::")}
BITS = {4: 32, 6: 128}
DEEP = 3
"""Networks differ in the last bits of an address alone, so that they overlap often."""


@st.composite
def networks(draw: Any, version: int) -> Any:
    length = BITS[version] - draw(st.sampled_from([0, 1, 2, DEEP, BITS[version]]))
    ip = BASES[version] + draw(st.integers(0, (1 << DEEP) - 1))
    return ip_network(f"{ip}/{length}", strict=False)


@st.composite
def tables(draw: Any) -> dict[int, Selectors]:
    """Policies by id, in any order, for which there may be any others."""
    numbers = draw(st.lists(st.integers(1, 100), max_size=12, unique=True))
    return {
        number: Selectors(*(draw(networks(version)) for _ in range(2)))
        for number in numbers
        for version in [draw(st.sampled_from([4, 6]))]
    }


def overlap(one: Selectors, other: Selectors) -> bool:
    return all(a.version == b.version and a.overlaps(b) for a, b in zip(one, other, strict=True))


def ambiguous(table: dict[int, Selectors]) -> bool:
    return any(
        overlap(one, other) and one.breadth == other.breadth
        for one, other in itertools.combinations(table.values(), 2)
    )


def config_of(table: dict[int, Selectors]) -> Config:
    config = tunnel()
    return Config(
        config.local_identities,
        {number: with_nets(config.policies[7], number, nets) for number, nets in table.items()},
    )


def with_nets(policy: Policy, number: int, nets: Selectors) -> Policy:
    return dataclasses.replace(
        policy,
        id=number,
        local=dataclasses.replace(policy.local, net=nets.local),
        remote=dataclasses.replace(policy.remote, net=nets.remote),
    )


@given(tables())
def test_overlaps_are_found_all_and_alone(table: Any) -> None:
    assume(len(set(table.values())) == len(table))
    expected = {
        one for one, other in itertools.permutations(table, 2) if overlap(table[one], table[other])
    }
    found = list(overlaps(table))
    assert {one for one, _ in found} == expected
    assert all(one != other and overlap(table[one], table[other]) for one, other in found)


@given(tables())
def test_where_nothing_overlaps_priorities_are_those_of_the_original(table: Any) -> None:
    order = priorities(table)
    assert order.keys() == table.keys()
    for number, priority in order.items():
        alone = not any(
            overlap(table[number], other) for key, other in table.items() if key != number
        )
        assert priority >= PRIORITY
        assert not alone or priority == PRIORITY


@given(tables(), st.data())
def test_a_packet_hits_the_most_specific_policy(table: Any, data: Any) -> None:
    assume(not ambiguous(table))
    version = data.draw(st.sampled_from([4, 6]))
    ends = [BASES[version] + data.draw(st.integers(0, (1 << DEEP) - 1)) for _ in range(2)]
    order = priorities(table)
    hits = [
        number
        for number, nets in table.items()
        if all(ip.version == net.version and ip in net for ip, net in zip(ends, nets, strict=True))
    ]
    assume(hits)
    first = min(hits, key=order.__getitem__)
    assert [order[number] for number in hits].count(order[first]) == 1
    for number in hits:
        within = all(a.subnet_of(b) for a, b in zip(table[number], table[first], strict=True))
        assert number == first or not within


@given(tables())
def test_both_ends_have_the_same_order(table: Any) -> None:
    assert priorities(table) == priorities(
        {number: Selectors(nets.remote, nets.local) for number, nets in table.items()}
    )


@given(tables())
def test_policies_of_which_none_is_more_specific_are_refused(table: Any) -> None:
    found = [fault for fault in faults(config_of(table)) if "traffic" in fault]
    assert bool(found) == ambiguous(table)


ALIKE = [
    ("10.1.0.0/16", "10.2.0.0/16", "it protects the same traffic as policy 3"),
    ("10.0.0.0/8", "10.2.4.0/24", "some of its traffic is that of policy 3, and neither is more"),
    ("10.1.4.0/24", "10.0.0.0/8", "some of its traffic is that of policy 3, and neither is more"),
]


@pytest.mark.parametrize(("local", "remote", "reason"), ALIKE)
def test_both_programs_refuse_them(local: Any, remote: Any, reason: Any) -> None:
    nets = Selectors(ip_network("10.1.0.0/16"), ip_network("10.2.0.0/16"))
    config = config_of({9: Selectors(ip_network(local), ip_network(remote)), 3: nets})
    with pytest.raises(ConfigError, match=f"^policy 9: {reason}"):
        conf.parse(conf.render(config))
    with pytest.raises(ConfigError, match=f"^line 6: <policy>: policy 9: {reason}"):
        xml.read(written(config).encode())


POLICY = """\
<policy id="{id}"><mode>tunnel</mode>
<local><identity_id>1</identity_id><ip>{local.ip}</ip>
<net mask="{local.net.prefixlen}">{local.net.network_address}</net></local>
<remote><identity>{remote.identity}</identity><ip>{remote.ip}</ip>
<net mask="{remote.net.prefixlen}">{remote.net.network_address}</net></remote>
<lifetime><soft>30</soft><hard>60</hard></lifetime></policy>
"""


def written(config: Config) -> str:
    """The document of a configuration with one local identity and policies in tunnel mode."""
    rows = "".join(
        POLICY.format(id=policy.id, local=policy.local, remote=policy.remote)
        for policy in config.policies.values()
    )
    identity = config.local_identities[1]
    return f"""\
<tkmconfig>
<local_identity id="1">
<identity>{identity.identity}</identity>
<certificate>{identity.certificate}</certificate>
</local_identity>
{rows}</tkmconfig>
"""


@pytest.mark.parametrize("net", ["fd00:1::/64", "10.1.0.0/16"])
def test_a_net_and_the_host_at_the_other_side_are_of_one_ip_version(net: str) -> None:
    config = tunnel()
    version = 4 if ":" in net else 6
    ours, theirs = ("10.0.0.1", "10.0.0.2") if version == 4 else ("fd00::1", "fd00::2")
    policy = config.policies[7]
    local = dataclasses.replace(policy.local, ip=ip_address(ours), net=ip_network(net))
    remote = dataclasses.replace(policy.remote, ip=ip_address(theirs), net=None)
    config.policies[7] = dataclasses.replace(policy, local=local, remote=remote)
    assert faults(config) == ["policy 7: one net is IPv4, the other IPv6"]


def test_the_time_to_find_overlaps_grows_with_the_number_of_policies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cuts(size: int) -> int:
        count = itertools.count()
        monkeypatch.setattr(traffic, "_cut", lambda *given: [next(count), cut(*given)][1])
        side = IPv4Network("10.0.0.0/8").subnets(new_prefix=24)
        table = {
            number: Selectors(ip_network("172.16.0.0/12"), net)
            for number, net in zip(range(1, size), side, strict=False)
        }
        wide = Selectors(ip_network("172.16.0.0/12"), ip_network("0.0.0.0/0"))
        assert len(priorities({**table, size: wide})) == size
        return next(count)

    cut = traffic._cut
    assert cuts(1600) < 9 * cuts(200)


NESTED = {
    1: Selectors(ip_network("10.1.0.0/16"), ip_network("0.0.0.0/0")),
    2: Selectors(ip_network("10.1.0.0/16"), ip_network("10.2.0.0/16")),
    3: Selectors(ip_network("10.1.5.0/24"), ip_network("10.2.5.0/24")),
    4: Selectors(ip_network("10.1.5.1/32"), ip_network("10.2.5.1/32")),
    5: Selectors(ip_network("fd00:1::/32"), ip_network("::/0")),
    6: Selectors(ip_network("fd00:1::/32"), ip_network("fd00:2::/32")),
    7: Selectors(ip_network("fd00:1:5::/48"), ip_network("fd00:2:5::/48")),
    8: Selectors(ip_network("fd00:1:5::1/128"), ip_network("fd00:2:5::1/128")),
    9: Selectors(ip_network("192.168.7.0/24"), ip_network("192.168.8.0/24")),
}
EXPECTED = [
    *[("10.3.0.1", 1), ("10.2.0.1", 2), ("10.2.5.9", 3), ("10.2.5.1", 4)],
    *[("fd00:3::1", 5), ("fd00:2::1", 6), ("fd00:2:5::9", 7), ("fd00:2:5::1", 8)],
]
ACQUIRES = """
import socket
from contextlib import suppress
from tests.unit.tkm.test_traffic import EXPECTED, NESTED, config_of
from tkm.xfrm.abi import Type
from xfrm_proxy.events import EventSocket, Group, translate

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

ip("link add w type veth peer name v")
for end in "wv":
    ip(f"link set {end} up")
for address in ("10.1.5.1/16", "fd00:1:5::1/32"):
    ip(f"address add {address} dev w" + " nodad" * (":" in address))
for route in ("10.2.0.0/15", "fd00:2::/31"):
    ip(f"route add {route} dev w")
events = EventSocket(Group.ACQUIRE)

def hit(destination):
    # The policies that wait for a state for a packet to there.
    kernel.flush_states()
    family, source = (
        (socket.AF_INET6, "fd00:1:5::1") if ":" in destination else (socket.AF_INET, "10.1.5.1")
    )
    with socket.socket(family, socket.SOCK_DGRAM) as sender, suppress(OSError):
        sender.bind((source, 0))
        sender.sendto(b"x", (destination, 9))
    found = [translate(*event) for event in events.events() if event[0] == Type.ACQUIRE]
    return sorted({event.sp_id for event in found})

nested = list(config_of(NESTED).policies.values())
seen = []
# First the wide ones alone: their priorities change in place once there are narrower ones.
for order in (nested[::4], nested, nested[::-1]):
    kernel.protect(order)
    seen.append([hit(destination) for destination, _ in EXPECTED])
rows = policies()
print(json.dumps([*seen, sorted(set(zip(rows[3::4], rows[1::4])))]))
"""


def test_a_packet_hits_the_most_specific_policy_of_a_real_kernel() -> None:
    wide, forward, backward, shown = run(ACQUIRES)
    assert wide == [[1]] * 4 + [[5]] * 4
    assert forward == backward == [[number] for _, number in EXPECTED]
    open_bits = {1: 48, 2: 32, 3: 16, 4: 0, 5: 224, 6: 192, 7: 160, 8: 0, 9: 0}
    assert shown == sorted(
        [f"proto esp reqid {number} mode tunnel", f"dir {direction} priority {3843 + more}"]
        for number, more in open_bits.items()
        for direction in ("in", "out", "fwd")
    )


ONE_PAIR = """
from dataclasses import replace
from ipaddress import ip_address, ip_network
policy = tunnel().policies[7]
local = replace(policy.local, ip=ip_address("fd00::1"), net=None)
remote = replace(policy.remote, ip=ip_address("fd00::2"), net=None)
host = replace(policy, id=1, local=local, remote=remote)
net = replace(
    host,
    id=2,
    local=replace(local, net=ip_network("fd00::/64")),
    remote=replace(remote, net=ip_network("fd00::/64")),
)
kernel.protect([net, host])
print(json.dumps(sum("ipv6-icmp" in row for row in policies())))
"""


def test_policies_within_another_share_the_neighbour_discovery_of_their_ends() -> None:
    assert run(ONE_PAIR) == 4
