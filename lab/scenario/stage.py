# SPDX-License-Identifier: GPL-2.0-or-later
"""What steps work on: a lab, its topology, and what earlier steps have left in mind.

Steps say what is to be; how a lab is asked is here, and nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lab.scenario.errors import Failed
from lab.scenario.packets import Packet, read_packets
from lab.scenario.values import Daemon, Pair
from lab.xfrm.ip_output import State, read_states

if TYPE_CHECKING:
    from lab.client.lab import Lab
    from lab.client.status import Completed, LogLine
    from lab.topology import Policy, Topology


_NO_FRAME = 1 << 62
"""A number that no frame ever gets."""


class Stage:
    """The lab that a scenario plays in.

    `build` makes it, when the time has come.
    """

    def __init__(self, topology: Topology, build: Callable[[], Lab]) -> None:
        self.topology = topology
        self.memory: dict[Any, Any] = {}
        """What a step remembers for those to come."""
        self._build = build
        self._lab: Lab | None = None
        self._frames = 0
        self._old_logs: list[LogLine] = []

    def up(self) -> None:
        """Build the lab. Raises LabError."""
        if self._lab is not None:
            raise Failed("the lab is up already")
        self._lab = self._build()

    @property
    def is_up(self) -> bool:
        """Whether there is a lab."""
        return self._lab is not None

    @property
    def lab(self) -> Lab:
        """The lab. Raises Failed: it is not up."""
        if self._lab is None:
            raise Failed("the lab is not up yet")
        return self._lab

    def close(self) -> None:
        """End the lab, if there is one."""
        lab, self._lab = self._lab, None
        if lab is not None:
            lab.down()

    def mark(self) -> None:
        """From here on, "since the last action" begins."""
        if self._lab is not None:
            self._frames = self._lab.capture(None, _NO_FRAME).next

    def run(self, node: str, *argv: str) -> Completed:
        """Run a command to its end."""
        return self.lab.call(node, argv)

    def must(self, node: str, *argv: str) -> str:
        """Run a command that has to succeed; return its output. Raises Failed."""
        done = self.run(node, *argv)
        if done.code:
            complaint = done.stderr.decode(errors="replace").strip() or f"exit code {done.code}"
            raise Failed(f"{argv[0]} on {node}: {complaint}")
        return done.stdout.decode(errors="replace")

    def address(self, pair: Pair) -> str:
        """By which the first of two hosts knows the second: on a link of both, if there is one."""
        ours, theirs = (self.topology.nodes[end].addresses for end in pair[:2])
        shared = next((link for link in theirs if link in ours), next(iter(theirs)))
        return str(theirs[shared][0].ip)

    def owner(self, address: str) -> str:
        """The host of an address; "" if it is nobody's."""
        for node in self.topology.nodes.values():
            if any(str(i.ip) == address for each in node.addresses.values() for i in each):
                return node.name
        return ""

    def policy(self, pair: Pair) -> Policy:
        """The policy between two hosts."""
        ends = {*pair[:2]}
        return next(policy for policy in self.topology.policies if {*policy.between} == ends)

    def connection(self, pair: Pair) -> str:
        """What IKE daemons call the connection between two hosts, and its child."""
        return f"conn{self.policy(pair).id}"

    def states(self, node: str) -> list[State]:
        """The SAs in the kernel of a host."""
        return read_states(self.must(node, "ip", "-s", "xfrm", "state"))

    def ends(self, pair: Pair, node: str) -> set[str]:
        """The addresses between which a host has the SAs and policies of two hosts."""
        own, other = self.policy(pair).seen_from(node)
        return {str(own.address), str(other.seen)}

    def log(self, daemon: Daemon) -> list[LogLine]:
        """All that a program has logged."""
        return self.lab.logs(daemon.node, daemon.name)

    def set_log_aside(self, daemon: Daemon) -> None:
        """Before a program is started again: it begins a log of its own."""
        self._old_logs += self.log(daemon)

    def all_logs(self, node: str) -> list[LogLine]:
        """All that any program on a host has logged."""
        old = [line for line in self._old_logs if line.node == node]
        return [*old, *self.lab.logs(node)]

    def packets(self, link: str, *, recent: bool = False) -> list[Packet]:
        """What was on a link since the lab is up, or since the last action."""
        capture = self.lab.capture(link, self._frames if recent else 0)
        if capture.lost:
            raise Failed(f"the lab has forgotten {capture.lost} frames: they prove nothing")
        return read_packets(capture, self.owner)

    def counters(self, node: str) -> Mapping[str, int]:
        """What the kernel of a host has counted of IPsec (/proc/net/xfrm_stat)."""
        lines = self.must(node, "cat", "/proc/net/xfrm_stat").splitlines()
        return {name: int(count) for name, count in (line.split() for line in lines)}
