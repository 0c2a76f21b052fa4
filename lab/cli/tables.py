# SPDX-License-Identifier: GPL-2.0-or-later
"""How ``status`` looks: a lab, its hosts with their daemons, IKE SAs, Child SAs.

In a narrow terminal a row has two lines: the order of the columns then puts what belongs together,
such as SPI in and SPI out, below each other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.markup import escape

from lab.cli.layout import Listing
from lab.cli.show import clock, out, prose
from lab.client import which

if TYPE_CHECKING:
    from lab.client.status import NodeStatus, Status, Summary
    from lab.observe.state import Child, HostState, Ike
    from lab.topology import Topology

_GOOD = ("ESTABLISHED", "INSTALLED")


def status(state: Status, states: Mapping[str, HostState], topology: Topology | None) -> None:
    """A lab."""
    summary = state.summary
    what = [topology.title] if topology else []
    age = _span(int(time.time() - summary.started))
    what += [f"kernel {summary.kernel}", f"up for {age}", f"{state.frames} frames on the wire"]
    prose(f"[bold]{escape(summary.name)}[/]  [dim]{escape(', '.join(what))}[/]\n")
    lost = " and ".join(f"{count} {what}" for what, count in state.forgotten.items() if count)
    if lost:
        prose(f"[yellow]the capture is not complete: {lost} are missing[/]\n")
    _hosts(state.nodes)
    _ike_sas(states)
    _child_sas(states)
    for node, host in states.items():
        if host.trouble:
            logs = which.command(summary.name, "logs", node)
            prose(f"\n[red]✗[/] {escape(host.trouble)}")
            out.print(f"  [dim]{escape(logs)}[/]")


def _hosts(nodes: Iterable[NodeStatus]) -> None:
    columns = ("NODE", "ADDRESS", "DAEMON", "PID", "STATE", "MEMORY")
    hosts = Listing(*columns, right=("PID", "MEMORY"))
    for node in nodes:
        addresses = [f"{a} {i.link}" for i in node.interfaces for a in i.addresses]
        for number in range(max(len(addresses), len(node.daemons), 1)):
            name = f"[bold]{node.name}[/]" if number == 0 else ""
            address = addresses[number] if number < len(addresses) else ""
            daemons = _daemon(node, number) if number < len(node.daemons) else ("", "", "", "")
            hosts.add_row(name, address, *daemons)
    out.print(hosts)


def _daemon(node: NodeStatus, number: int) -> tuple[str, str, str, str]:
    daemon = node.daemons[number]
    alive = "[green]runs[/]" if daemon.code is None else f"[red]ended: {daemon.code}[/]"
    memory = f"{daemon.memory / 2**20:.1f} MB" if daemon.memory else ""
    return daemon.name, str(daemon.pid), alive, memory


def _ike_sas(states: Mapping[str, HostState]) -> None:
    columns = ("NODE", "IKE SA", "AGE", "SPI i", "PEER", "STATE", "REKEY", "SPI r")
    rows = Listing(*columns, prose=("PEER",))
    for node, host in states.items():
        for sa in host.ike_sas:
            rows.add_row(f"[bold]{node}[/]", *_ike(sa))
    if rows.row_count:
        out.print()
        out.print(rows)


def _ike(sa: Ike) -> tuple[str, ...]:
    name = escape(f"{sa.name}[{sa.id}]")
    own = 0 if sa.initiator else 1
    spis = [spi if number == own else f"[dim]{spi}[/]" for number, spi in enumerate(sa.spis)]
    first = (name, _span(sa.age), spis[0], escape(sa.remote))
    return (*first, _state(sa.state), _span(sa.rekey_in), spis[1])


def _child_sas(states: Mapping[str, HostState]) -> None:
    first = ("CHILD SA", "SPI in", "IN", "REKEY", "PROTECTS")
    second = ("STATE", "SPI out", "OUT", "EXPIRES", "MODE")
    rows = Listing("NODE", *first, *second, right=("IN", "OUT"), prose=("PROTECTS",))
    for node, host in states.items():
        for child in host.child_sas:
            rows.add_row(f"[bold]{node}[/]", *_child(child))
    if rows.row_count:
        out.print()
        out.print(rows)
    else:
        out.print("\n[dim]no SAs yet: the first packet brings them up[/]")


def _child(child: Child) -> tuple[str, ...]:
    here, there = (
        selector.removesuffix("/32").removesuffix("/128") for selector in child.selectors
    )
    return (
        *(escape(child.name), child.spi_in or "-", str(child.packets[0]), _span(child.rekey_in)),
        f"{here} ⇄ {there}",
        *(_state(child.state), child.spi_out or "-", str(child.packets[1])),
        *(_span(child.expires_in), f"[dim]{child.mode}[/]"),
    )


def _state(state: str) -> str:
    return f"[green]{state}[/]" if state in _GOOD else f"[yellow]{state}[/]"


def _span(seconds: int | None) -> str:
    """A span of time in its two largest units; "" for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 else ""
    if hours:
        return f"{sign}{hours}h{minutes:02}m"
    return f"{sign}{minutes}m{rest:02}s" if minutes else f"{sign}{rest}s"


def labs(summaries: Iterable[Summary]) -> None:
    """Several labs, a line each."""
    listing = Listing("LAB", "KERNEL", "SINCE", "STATE")
    for summary in summaries:
        kept = "up" if summary.kept else "up while its builder is"
        listing.add_row(f"[bold]{summary.name}[/]", summary.kernel, clock(summary.started), kept)
    out.print(listing)
