# SPDX-License-Identifier: GPL-2.0-or-later
"""From a topology to a lab that is up: kernel, identities, network, files, daemons.

The keys are made on this host, whose processor is fast, while the lab kernel boots and makes its
network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from lab.build import backends, network
from lab.build.backends import running
from lab.build.backends.builtin import exposing_ike_keys
from lab.build.files import File
from lab.build.identities import issue, keys_needed
from lab.client import metadata
from lab.client.lab import Lab
from lab.errors import Hangup
from lab.kernel.plan import CAPTURE, guest_memory
from lab.kernel.probe import Kernel
from lab.pki import KeyStock
from lab.topology import Topology


class Step(NamedTuple):
    """A part of the work that is done."""

    name: str
    what: str
    seconds: float


Report = Callable[[Step], None]
Files = dict[str, Mapping[str, File]]
"""What lies on each host's disk, by node and path."""
_SHOWN = 4
"""How many nodes a step names."""
Identities = Callable[[Topology, KeyStock], Files]


def up(
    topology: Topology,
    name: str,
    kernel: Kernel | str = Kernel.AUTO,
    report: Report = lambda _: None,
    identities: Identities | None = None,
    *,
    keep: bool = True,
    expose_ike_keys: bool = False,
    as_saved: bool = False,
    image: str = "",
    modules: str = "",
    memory: str = "",
    capture: int = CAPTURE,
) -> Lab:
    """Build a lab. It lives on when this process ends (`keep`); if it cannot be, nothing stays.

    `identities` says who everybody is, if not who the topology says, under one root CA. With
    `expose_ike_keys` the Key Managers write what Wireshark needs to open IKE (`tkm.daemon.expose`).
    `as_saved`: what `identities` returns is all that a host had, configurations that were made from
    the rest included. `image` and `modules` are of the kernel that QEMU boots, see `Lab.start`.
    `memory` is a guest's, such as `2G`; empty: as much as its hosts and the capture need. `capture`
    is how many octets of memory the captured frames may take.

    Raises LabError: it could not be built, and why.
    """
    backends.check(topology)
    network.check_installed(topology)
    with KeyStock(keys_needed(topology)) as stock:
        began = time.monotonic()
        lab = Lab.start(
            name,
            kernel,
            wait=False,
            memory=memory or guest_memory(len(topology.nodes), capture),
            capture=capture,
            image=image,
            modules=modules,
        )
        try:
            lab.ready()
            report(Step("kernel", _kernel(lab), time.monotonic() - began))
            with _step(report, "network", _network(topology)):
                record = metadata.about(topology, ike_keys_exposed=expose_ike_keys)
                _connect(lab, topology, record)
            with _step(report, "pki", f"root CA, {_some(list(topology.nodes), ', ')}"):
                files = (identities or _identities)(topology, stock)
            with _step(report, "daemons", _daemons(topology)):
                _start(lab, topology, files, expose_ike_keys=expose_ike_keys, as_saved=as_saved)
            if keep:
                lab.keep()
        except Hangup as ended:
            reason = lab.why_ended() or ended
            lab.down()
            raise reason from ended
        except BaseException:
            lab.down()
            raise
    return lab


def _connect(lab: Lab, topology: Topology, record: Mapping[str, Any]) -> None:
    """Make hosts and links, as good or bad as they are to be."""
    links = topology.links
    lab.create([network.host(node, links) for node in topology.nodes.values()], record)
    for name, link in links.items():
        if netem := link.impairment.netem:
            lab.disturb(name, topology.nodes_on(name), netem=netem)
    hosts = network.names(topology)
    for node in topology.nodes.values():
        own = {path: (text.encode(), _mode(text)) for path, text in node.files.items()}
        lab.put_files(node.name, {"/run/hosts": (hosts, 0o644), **own})


def _mode(text: str) -> int:
    """The mode of a file: a script can be executed."""
    return 0o755 if text.startswith("#!") else 0o644


@contextmanager
def _step(report: Report, name: str, what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    report(Step(name, what, time.monotonic() - began))


def _kernel(lab: Lab) -> str:
    return f"{lab.choice.kernel}: {lab.choice.reason}" if lab.choice else ""


def _identities(topology: Topology, stock: KeyStock) -> Files:
    root, hosts = issue(topology, stock)
    nodes = ((topology.nodes[name], own) for name, own in hosts.items())
    return {
        node.name: backends.backend_of(node).files(topology, node, root, own) for node, own in nodes
    }


def _network(topology: Topology) -> str:
    return _some([f"{node.name} {node.address}" for node in topology.nodes.values()], " ── ")


def _some(words: list[str], joint: str) -> str:
    """The first few, and how many more there are."""
    more = len(words) - _SHOWN
    return joint.join(words[:_SHOWN]) + (f" … and {more} more" if more > 0 else "")


def _daemons(topology: Topology) -> str:
    """Which ones, and on which hosts, if not the same on all."""
    hosts: dict[str, list[str]] = {}
    for node in topology.nodes.values():
        names = ", ".join(daemon.name for daemon in backends.backend_of(node).daemons)
        hosts.setdefault(names, []).append(node.name)
    hosts.pop("", None)
    if len(hosts) == 1:
        ((names, nodes),) = hosts.items()
        return f"{names} on {len(nodes)} hosts"
    return "; ".join(f"{names} on {', '.join(nodes)}" for names, nodes in hosts.items())


def _start(
    lab: Lab, topology: Topology, files: Files, *, expose_ike_keys: bool, as_saved: bool
) -> None:
    busy = {name: backends.backend_of(topology.nodes[name]) for name in files}
    if expose_ike_keys:
        busy = {name: exposing_ike_keys(backend) for name, backend in busy.items()}
    for node, backend in busy.items():
        running.prepare(lab, node, backend, files[node])
        if as_saved:  # in the place of what was made anew
            running.put_files(lab, node, files[node])
    running.start_all(lab, busy)
    for host in topology.nodes.values():
        for program in host.run:
            lab.spawn(host.name, program.argv, program.name)
