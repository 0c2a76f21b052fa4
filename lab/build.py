# SPDX-License-Identifier: GPL-2.0-or-later
"""From a topology to a lab that is up: kernel, identities, network, files, daemons.

The keys are made on this host, whose processor is fast, while the lab kernel boots.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from lab.client import Lab
from lab.errors import LabError
from lab.host_files import KEY, ROOT_CA, SWANCTL_CONF, TKM_CONF, XML, File, files_of
from lab.kernel.probe import Kernel
from lab.pki import CA, KeyStock
from lab.report import Interface, Node
from lab.topology import Topology

IKE_SOCKET = "/tmp/tkm.rpc.ike"
EES_SOCKET = "/tmp/tkm.rpc.ees"
DAEMONS = ("tkm_keymanager", "tkm_iked", "xfrm_proxy")
_READY = 20.0
"""Seconds that a daemon may take until it is ready."""

_IPV6_OFF = {f"net/ipv6/conf/{which}/disable_ipv6": "1" for which in ("all", "default")}


class Step(NamedTuple):
    """A part of the work that is done."""

    name: str
    what: str
    seconds: float


Report = Callable[[Step], None]
Files = dict[str, Mapping[str, File]]
"""What lies on each host's disk, by node and path."""
Identities = Callable[[Topology, KeyStock], Files]


def up(
    topology: Topology,
    name: str,
    kernel: Kernel | str = Kernel.AUTO,
    report: Report = lambda _: None,
    identities: Identities | None = None,
) -> Lab:
    """Build a lab. It lives on when this process ends; if it cannot be built, nothing stays.

    `identities` says who everybody is, if not who the topology says, under one root CA.

    Raises LabError: it could not be built, and why.
    """
    with KeyStock(1 + len(topology.nodes)) as stock:
        began = time.monotonic()
        lab = Lab.start(name, kernel, wait=False)
        try:
            with _step(report, "pki", f"root CA, {', '.join(topology.nodes)}"):
                files = (identities or _identities)(topology, stock)
            lab.ready()
            report(Step("kernel", _kernel(lab), time.monotonic() - began))
            with _step(report, "network", _network(topology)):
                lab.create(_nodes(topology))
            with _step(report, "daemons", f"{', '.join(DAEMONS)} on {len(files)} hosts"):
                for node, content in files.items():
                    _configure(lab, node, content)
                _start_daemons(lab, list(files))
            lab.keep()
        except BaseException:
            lab.down()
            raise
    return lab


@contextmanager
def _step(report: Report, name: str, what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    report(Step(name, what, time.monotonic() - began))


def _kernel(lab: Lab) -> str:
    return f"{lab.choice.kernel}: {lab.choice.reason}" if lab.choice else ""


def _identities(topology: Topology, stock: KeyStock) -> Files:
    root = CA("tkm-lab root", key=stock.take())
    return {
        node.name: files_of(topology, node, root, root.issue_cert(node.identity, key=stock.take()))
        for node in topology.nodes.values()
    }


def _network(topology: Topology) -> str:
    ends = [f"{node.name} {node.address}" for node in topology.nodes.values()]
    return " ── ".join(ends)


def _nodes(topology: Topology) -> list[Node]:
    return [
        Node(
            node.name,
            tuple(Interface(link, (str(address),)) for link, address in node.addresses.items()),
            sysctls={} if any(a.version == 6 for a in node.addresses.values()) else _IPV6_OFF,
        )
        for node in topology.nodes.values()
    ]


def _configure(lab: Lab, node: str, files: Mapping[str, File]) -> None:
    lab.put_files(node, {path: (file.octets, file.mode) for path, file in files.items()})
    written = lab.call(node, ["tkm_cfgtool", "-c", XML, "-i", SWANCTL_CONF, "-t", TKM_CONF])
    if written.code:
        raise LabError(f"{node}: {written.stderr.decode(errors='replace').strip()}")


def _start_daemons(lab: Lab, nodes: list[str]) -> None:
    """Each kind of daemon on all nodes, then wait for all: they start side by side."""
    anchor = f"{ROOT_CA}:1"
    for node in nodes:
        lab.spawn(node, ["tkm_keymanager", "-c", TKM_CONF, "-k", KEY, "-r", anchor])
    for node in nodes:
        lab.wait_for_socket(node, IKE_SOCKET, daemon="tkm_keymanager", deadline=_READY)
        lab.spawn(node, ["tkm_iked", "-c", SWANCTL_CONF, "-r", anchor])
        lab.spawn(node, ["xfrm_proxy"])
    for node in nodes:
        lab.wait_for_socket(node, EES_SOCKET, daemon="tkm_iked", deadline=_READY)
        lab.wait_for_line(node, "xfrm_proxy", "waiting for kernel events", deadline=_READY)
