# SPDX-License-Identifier: GPL-2.0-or-later
"""The links of a lab: bridges in the agent's own network namespace, a port for each interface.

The agent's namespace is nothing but wire: no address, no IPv6, no spanning tree, no multicast
queries. Whatever is seen there was put there by a node. `ip -batch` does the work: it is a tenth
of the import time of a netlink library in a guest, and its complaints are good.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lab.errors import LabError

_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17


class Port(NamedTuple):
    """Where a frame enters the wire."""

    node: str
    link: str
    interface: str


class Wire:
    """Bridges and ports, by the agent's names for them: b0, b1 …; p0, p1 … with peers n0, n1 …"""

    def __init__(self) -> None:
        self.ports: dict[str, Port] = {}
        self.links: dict[str, str] = {}
        self._peers: list[tuple[str, Port]] = []
        sysctl = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
        if sysctl.exists():
            sysctl.write_text("1")

    def build(self, links: Sequence[str], nodes: Sequence[Mapping[str, Any]]) -> None:
        """Make the bridges and the pairs; the nodes' ends are still here."""
        lines = ["link set lo up"]
        for link in links:
            self.links[link] = f"b{len(self.links)}"
            lines += bridge_commands(self.links[link])
        for node in nodes:
            for interface in node["interfaces"]:
                number = len(self._peers)
                port = Port(node["name"], interface["link"], interface["name"])
                self._peers.append((f"n{number}", port))
                lines += self._pair(number, port, interface["mtu"])
        ip_batch(lines)
        for number, (peer, port) in enumerate(self._peers):
            _checksums_in_full(peer)
            self.ports[f"p{number}"] = port

    def _pair(self, number: int, port: Port, mtu: int) -> list[str]:
        link = list(self.links).index(port.link)
        address = f"02:00:00:{link:02x}:{number >> 8:02x}:{number & 0xFF:02x}"
        peer = f"n{number} mtu {mtu} address {address}"
        return [
            f"link add p{number} mtu {mtu} type veth peer name {peer}",
            f"link set p{number} master {self.links[port.link]}",
            f"link set p{number} up",
        ]

    def plug(self, pids: Mapping[str, int]) -> None:
        """Move the nodes' ends to the nodes, given the PIDs of their inits."""
        ip_batch(
            f"link set {peer} netns {pids[port.node]} name {port.interface}"
            for peer, port in self._peers
        )


def bridge_commands(name: str) -> list[str]:
    """The `ip` commands that make a bridge that sends nothing by itself."""
    return [f"link add {name} type bridge stp_state 0 mcast_snooping 0", f"link set {name} up"]


_WITH_IPV6 = """\
for interface; do echo 0 > /proc/sys/net/ipv6/conf/$interface/disable_ipv6; done
exec ip -batch -"""


def node_command(node: Mapping[str, Any]) -> list[str]:
    """The command that configures a node from the inside; its input is `node_commands`."""
    speak_ipv6 = [i["name"] for i in node["interfaces"] if _has_ipv6(i)]
    return ["sh", "-ec", _WITH_IPV6, "sh", *speak_ipv6] if speak_ipv6 else ["ip", "-batch", "-"]


def node_commands(node: Mapping[str, Any]) -> list[str]:
    """The `ip` commands that configure a node."""
    lines = ["link set lo up"]
    for interface in node["interfaces"]:
        name = interface["name"]
        for address in interface["addresses"]:
            lines.append(f"addr add {address} dev {name}" + (" nodad" if ":" in address else ""))
        lines.append(f"link set {name} up")
    lines += [f"route add {where} via {via}" for where, via in node["routes"].items()]
    return lines


NAT = "iptables-legacy-restore"
"""The command that takes `nat_rules`."""


def nat_rules(interface: str) -> str:
    """What passes through and leaves on an interface gets that one's address."""
    return f"*nat\n-A POSTROUTING -o {interface} -j MASQUERADE\nCOMMIT\n"


_ACQUIRES = "net/core/xfrm_acq_expires"
"""Seconds until the kernel asks again for an SA that has not come, 30 by default. An ordinary
user's namespaces lack it."""


def node_sysctls(node: Mapping[str, Any]) -> dict[str, str]:
    """What a node's network namespace needs to be silent where its topology is.

    Only interfaces with an IPv6 address speak IPv6: the kernel would announce itself unasked.
    """
    acquires = {name: "3" for name in (_ACQUIRES,) if Path("/proc/sys", name).exists()}
    if not Path("/proc/sys/net/ipv6").exists():
        return acquires | dict(node["sysctls"])
    silence = {"disable_ipv6": "1", "router_solicitations": "0", "accept_ra": "0"}
    defaults = {f"net/ipv6/conf/default/{name}": value for name, value in silence.items()}
    # Nobody waits for duplicate address detection: topologies have no duplicates.
    at_once = {f"net/ipv6/conf/{which}/accept_dad": "0" for which in ("all", "default")}
    return acquires | defaults | at_once | dict(node["sysctls"])


def _has_ipv6(interface: Mapping[str, Any]) -> bool:
    return any(":" in address for address in interface["addresses"])


def ip_batch(lines: Iterable[str]) -> None:
    """Run `ip` commands in the agent's network namespace.

    Raises:
        LabError: one of them failed; the message names it, and why.
    """
    commands = list(lines)
    result = subprocess.run(
        ["ip", "-batch", "-"],
        input="\n".join(commands) + "\n",
        text=True,
        capture_output=True,
        check=False,
    )
    if result.returncode:
        raise LabError(explain(commands, result.stderr))


def explain(commands: Sequence[str], complaint: str) -> str:
    """One line out of what `ip -batch` complained of."""
    *reasons, where = complaint.strip().splitlines() or [""]
    number = where.rpartition("-:")[2]
    if number.isdigit() and 0 < int(number) <= len(commands):
        return f"ip {commands[int(number) - 1]}: {' '.join(reasons)}"
    return f"ip: {complaint.strip()}"


def _checksums_in_full(interface: str) -> None:
    """Let the node compute checksums and segments itself, else a capture shows them unfinished."""
    value = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP8x", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCETHTOOL, request)
