# SPDX-License-Identifier: GPL-2.0-or-later
"""What the Key Manager asks of a kernel is what a real kernel then has: read back by `ip xfrm`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lab.client.lab import Interface, Lab, Node
from lab.xfrm.ip_output import Algorithm, Policy, State, read_policies, read_states
from tests.e2e.kernel_matrix import (
    ADDRESSES,
    CONFS,
    ENTRIES,
    INSIDE4,
    INSIDE6,
    IPV4,
    IPV6,
    MATRIX,
    PAIRS,
    SHORT,
    TALKS,
    installing,
)
from tests.e2e.kernel_program import keys
from tkm.config.policy import Mode
from tkm.xfrm.model import StatePair

PROGRAM = {"kernel_program": "tests.e2e.kernel_program:main"}
IN, OUT = "c00000ff", "ffffffff"
DEADLINE = 10.0
CARRYING = [pair for pair in PAIRS if pair.esn and not pair.encap]
"""What lets packets through without an IKE daemon, which would take ESP out of UDP."""


@pytest.fixture(scope="module")
def lab(worker_id: str) -> Iterator[Lab]:
    with Lab.start(f"states-{os.getpid()}-{worker_id}", programs=PROGRAM) as lab:
        lab.create(
            Node(name, (Interface("net", tuple(addresses)),))
            for name, addresses in ADDRESSES.items()
        )
        yield lab


@pytest.fixture
def alice(lab: Lab) -> Lab:
    """Alice's kernel holds nothing."""
    assert act(lab, "flush") == ["done"]
    return lab


def act(lab: Lab, *actions: str, node: str = "alice") -> list[str]:
    """What came of each action."""
    result = lab.call(node, ["kernel_program", *actions], CONFS[node])
    assert result.code == 0, result.stderr
    return result.stdout.decode().splitlines()


def shown(lab: Lab, table: str, node: str = "alice") -> str:
    return lab.call(node, ["ip", "-s", "xfrm", table]).stdout.decode()


def limits(block: str) -> dict[str, tuple[int, int]]:
    """Soft and hard bounds by what they count, as `ip -s xfrm` shows them; 0: never."""
    seconds = re.search(r"expire add: soft (\d+)\(sec\), hard (\d+)\(sec\)", block)
    counted = re.findall(r"limit: soft \(?(\w+)\)?\((\w+)\), hard \(?(\w+)\)?\(\w+\)", block)
    assert seconds, block
    return {"seconds": (int(seconds[1]), int(seconds[2]))} | {
        unit: (int(soft.replace("INF", "0")), int(hard.replace("INF", "0")))
        for soft, unit, hard in counted
    }


def states(lab: Lab, node: str = "alice") -> dict[str, State]:
    return {f"{state.spi:08x}": state for state in read_states(shown(lab, "state", node))}


@pytest.fixture(scope="module")
def tables(lab: Lab) -> dict[str, str]:
    """What `ip -s xfrm` shows of the whole matrix, side by side in one kernel."""
    policies = [f"policy {number}" for number in MATRIX]
    actions = ["flush", *policies, *map(installing, PAIRS)]
    assert act(lab, *actions) == ["done"] * len(actions)
    return {table: shown(lab, table) for table in ("policy", "state")}


@pytest.mark.parametrize("number", MATRIX)
def test_policies(tables: dict[str, str], number: int) -> None:
    asked = MATRIX[number]
    ours, theirs = str(asked.local_selector), str(asked.remote_selector)
    ends = str(asked.local.ip), str(asked.remote.ip)
    tunnel = asked.mode is Mode.TUNNEL

    def entry(direction: str, selectors: tuple[str, str], outer: tuple[str, str]) -> Policy:
        end = outer if tunnel else None
        return Policy(*selectors, direction, "allow", 3843, "esp", number, asked.mode.value, end)

    found = [entry for entry in read_policies(tables["policy"]) if entry.reqid == number]
    assert sorted(found, key=str) == sorted(
        (
            entry("out", (ours, theirs), ends),
            *(
                entry(direction, (theirs, ours), ends[::-1])
                for direction in (("in", "fwd") if tunnel else ("in",))
            ),
        ),
        key=str,
    )


def test_policies_do_not_end(tables: dict[str, str]) -> None:
    blocks = tables["policy"].split("lifetime config:")[1:]
    assert len(blocks) == ENTRIES
    never = dict.fromkeys(("seconds", "bytes", "packets"), (0, 0))
    assert [limits(block) for block in blocks] == [never] * ENTRIES


@pytest.mark.parametrize("pair", PAIRS, ids=installing)
def test_states(tables: dict[str, str], pair: StatePair) -> None:
    local, remote = str(pair.policy.local.ip), str(pair.policy.remote.ip)
    ports = pair.encap and pair.encap[::-1]
    check_state(tables["state"], pair, pair.spi_in, (remote, local), ports)
    check_state(tables["state"], pair, pair.spi_out, (local, remote), pair.encap)


def check_state(
    table: str, pair: StatePair, spi: bytes, ends: tuple[str, str], ports: tuple[int, int] | None
) -> None:
    blocks = re.split(r"^(?=src )", table, flags=re.MULTILINE)
    (block,) = (block for block in blocks if f" spi 0x{spi.hex()}(" in block)
    (state,) = read_states(block)
    encryption, integrity = keys(spi)
    assert (state.src, state.dst) == ends
    assert state.encryption == Algorithm("cbc(aes)", encryption)
    assert state.integrity == Algorithm("hmac(sha512)", integrity, 256)
    assert (state.proto, state.mode) == ("esp", pair.policy.mode.value)
    assert (state.reqid, state.octets, state.packets) == (pair.policy.id, 0, 0)
    assert (state.aead, state.encap, state.esn) == (None, ports, pair.esn)
    assert state.replay_window >= 32
    assert limits(block.partition("lifetime config:")[2]) == pair.policy.lifetime.bounds


def test_spis_that_are_taken(alice: Lab) -> None:
    """A state in use is not replaced, in either direction."""
    refused = "KERNEL_FAILURE: the kernel does not add a state of policy 1: File exists"
    act(alice, f"states 1 {IN} {OUT}")
    assert act(alice, f"states 1 c0000002 {OUT}") == [refused]
    assert act(alice, f"states 1 {IN} c0000003") == [refused]
    assert states(alice).keys() == {IN, OUT, "c0000002"}


def test_a_policy_is_updated_in_place(alice: Lab) -> None:
    """A restart installs what is there already: no gap, and nothing twice."""
    act(alice, "policy 4", "policy 5")
    once = sorted(read_policies(shown(alice, "policy")), key=str)
    assert act(alice, "policy 4") == ["done"]
    assert sorted(read_policies(shown(alice, "policy")), key=str) == once


@pytest.mark.parametrize("number", [1, 4])
def test_deleting(alice: Lab, number: int) -> None:
    """Only what is meant is deleted; what is not there is not missed."""
    other = f"{number} c0000008 c0000009"
    act(alice, f"states {number} {IN} {OUT}", f"states {other}")
    assert act(alice, *[f"delete {other}"] * 2) == ["done", "done"]
    assert states(alice).keys() == {IN, OUT}
    assert act(alice, f"delete {number} {IN} c0000009") == ["done"]
    assert states(alice).keys() == {OUT}


def test_states_that_have_expired_are_not_missed(alice: Lab) -> None:
    pairs = f"states {SHORT.id} {IN} {OUT}", "states 1 c0000004 c0000005"
    assert act(alice, *pairs) == ["done", "done"]
    until = time.monotonic() + DEADLINE
    while states(alice).keys() & {IN, OUT}:
        assert time.monotonic() < until
    assert act(alice, f"delete {SHORT.id} {IN} {OUT}") == ["done"]
    assert states(alice).keys() == {"c0000004", "c0000005"}


def test_flushing_leaves_nothing(alice: Lab) -> None:
    act(alice, *(f"policy {number}" for number in MATRIX), *map(installing, PAIRS))
    before = alice.states("alice")
    assert (len(before.policies), len(before.states)) == (ENTRIES, 2 * len(PAIRS))
    assert act(alice, "flush", "flush") == ["done", "done"]
    assert (shown(alice, "policy"), shown(alice, "state")) == ("", "")


@pytest.fixture(scope="module")
def routed(lab: Lab) -> Lab:
    """Alice and bob know the way to the network behind the other."""
    for n, node in enumerate(("alice", "bob")):
        for inside, outside in ((INSIDE4, IPV4), (INSIDE6, IPV6)):
            route = ["ip", "route", "replace", inside[1 - n], "via", outside[1 - n]]
            assert lab.call(node, [*route, "src", inside[n]]).code == 0
    return lab


@pytest.mark.parametrize("pair", CARRYING, ids=installing)
def test_packets_go_through(routed: Lab, pair: StatePair) -> None:
    """A request and its reply, each by its state, and not in the clear."""
    source, destination = TALKS[pair.policy.id]
    payload = "5a7e11e5"
    ping = ["ping", "-n", "-c1", "-W5", "-p", payload, "-I", source, destination]
    mirrored = replace(pair, spi_in=pair.spi_out, spi_out=pair.spi_in)
    for node, own in {"alice": pair, "bob": mirrored}.items():
        actions = ["flush", f"policy {pair.policy.id}", installing(own)]
        assert act(routed, *actions, node=node) == ["done"] * 3
    before = routed.capture("net").next
    assert routed.call("alice", ping).code == 0
    for node in ("alice", "bob"):
        found = states(routed, node)
        assert [found[spi.hex()].packets >= 1 for spi in (pair.spi_in, pair.spi_out)] == [True] * 2
    wire = routed.capture("net", before).pcap
    assert all(spi + b"\0\0\0\1" in wire for spi in (pair.spi_in, pair.spi_out))
    assert bytes.fromhex(payload) not in wire
