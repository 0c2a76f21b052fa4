# SPDX-License-Identifier: GPL-2.0-or-later
"""The SAs of a lab, host by host: what the IKE daemons report, with what the kernels have counted.

The two know each other's SAs by their SPIs. A Child SA that only the kernel knows is shown, too:
its IKE daemon is dead, or slow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.client import vici
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.client.lab import Lab
    from lab.client.status import NodeStatus
    from lab.topology import Topology
    from lab.xfrm.ip_output import State

KERNEL_ONLY = "KERNEL ONLY"
"""The state of an SA that no IKE daemon reports."""
_FLOWING = ("INSTALLED", "REKEYING", "REKEYED", KERNEL_ONLY)


@dataclass(frozen=True, slots=True)
class Ike:
    """An IKE SA. Times are in seconds; None: not known, or never."""

    name: str
    id: int
    state: str
    initiator: bool
    local: str
    remote: str
    """Address and identity."""
    spis: tuple[str, str]
    """The initiator's and the responder's, hexadecimal."""
    age: int | None
    rekey_in: int | None


@dataclass(frozen=True, slots=True)
class Child:
    """A Child SA. SPIs are hexadecimal, "" where there is none; times as in `Ike`."""

    name: str
    """`conn` and the number of its policy."""
    state: str
    mode: str
    spi_in: str
    spi_out: str
    selectors: tuple[str, str]
    """What it protects, here and there."""
    packets: tuple[int, int]
    """In, out, as the kernel has counted them."""
    octets: tuple[int, int]
    age: int | None
    rekey_in: int | None
    expires_in: int | None


@dataclass(frozen=True, slots=True)
class HostState:
    """The SAs of one host; `trouble` is why its IKE daemon reports nothing, or ""."""

    ike_sas: tuple[Ike, ...]
    child_sas: tuple[Child, ...]
    trouble: str = ""


def of_hosts(
    lab: Lab, nodes: Iterable[NodeStatus], topology: Topology | None
) -> dict[str, HostState]:
    """The SAs of every node that does IKE, or has SAs without it; by name."""
    found = {}
    for node in nodes:
        does_ike = topology.nodes[node.name].ike != "none" if topology else bool(node.daemons)
        state = _of_host(lab, node, does_ike=does_ike)
        if does_ike or state.child_sas:
            found[node.name] = state
    return found


def _of_host(lab: Lab, node: NodeStatus, *, does_ike: bool) -> HostState:
    kernel = {f"{sa.spi:08x}": sa for sa in lab.states(node.name).states if sa.proto == "esp"}
    own = {a.partition("/")[0] for i in node.interfaces for a in i.addresses}
    reported, trouble = _reported(lab, node.name) if does_ike else ([], "")
    children = [_child(child, kernel) for sa in reported for child in sa.children]
    known = {spi for child in children for spi in (child.spi_in, child.spi_out)}
    rest = (_kernel_only(sa, own) for spi, sa in kernel.items() if spi not in known)
    return HostState(tuple(map(_ike, reported)), (*children, *rest), trouble)


def _reported(lab: Lab, node: str) -> tuple[list[vici.IkeSa], str]:
    """The SAs that an IKE daemon reports, or none and why."""
    try:
        return vici.sas(lab, node), ""
    except LabError as silent:
        return [], str(silent)


def policies_up(states: Mapping[str, HostState], topology: Topology) -> dict[int, bool]:
    """By its number, whether a policy has SAs, in both directions, at both of its ends."""
    return {
        policy.id: all(_flows(states.get(end.node), f"conn{policy.id}") for end in policy.ends)
        for policy in topology.policies
    }


def _flows(host: HostState | None, name: str) -> bool:
    children = [c for c in host.child_sas if c.name == name and c.state in _FLOWING] if host else []
    return any(c.spi_in for c in children) and any(c.spi_out for c in children)


def _ike(sa: vici.IkeSa) -> Ike:
    reported = sa.fields
    ends = [f"{reported[f'{end}-host']} [{reported[f'{end}-id']}]" for end in ("local", "remote")]
    return Ike(
        name=sa.name,
        id=sa.id,
        state=sa.state,
        initiator=reported.get("initiator") == "yes",
        local=ends[0],
        remote=ends[1],
        spis=(f"{sa.spis[0]:016x}", f"{sa.spis[1]:016x}"),
        age=_seconds(reported, "established"),
        rekey_in=_seconds(reported, "rekey-time"),
    )


def _child(child: vici.ChildSa, kernel: Mapping[str, State]) -> Child:
    reported = child.fields
    spis = (f"{child.spi_in:08x}", f"{child.spi_out:08x}")
    counted = [kernel.get(spi) for spi in spis]
    return Child(
        name=child.name,
        state=child.state,
        mode=str(reported.get("mode", "")).lower(),
        spi_in=spis[0],
        spi_out=spis[1],
        selectors=(" ".join(reported.get("local-ts", ())), " ".join(reported.get("remote-ts", ()))),
        packets=_pair(sa.packets if sa else 0 for sa in counted),
        octets=_pair(sa.octets if sa else 0 for sa in counted),
        age=_seconds(reported, "install-time"),
        rekey_in=_seconds(reported, "rekey-time"),
        expires_in=_seconds(reported, "life-time"),
    )


def _kernel_only(sa: State, own: set[str]) -> Child:
    incoming = sa.dst in own
    spi = f"{sa.spi:08x}"
    return Child(
        name=f"conn{sa.reqid}",
        state=KERNEL_ONLY,
        mode=sa.mode,
        spi_in=spi if incoming else "",
        spi_out="" if incoming else spi,
        selectors=(sa.dst, sa.src) if incoming else (sa.src, sa.dst),
        packets=(sa.packets, 0) if incoming else (0, sa.packets),
        octets=(sa.octets, 0) if incoming else (0, sa.octets),
        age=None,
        rekey_in=None,
        expires_in=None,
    )


def _seconds(reported: Mapping[str, str], key: str) -> int | None:
    return int(reported[key]) if key in reported else None


def _pair(numbers: Iterator[int]) -> tuple[int, int]:
    first, second = numbers
    return first, second
