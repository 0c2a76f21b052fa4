# SPDX-License-Identifier: GPL-2.0-or-later
"""How things look: steps, tables, verdicts. For people; programs read --json."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lab.build import Step
    from lab.check import Proof
    from lab.kernel.probe import Finding
    from lab.proof import Delivery
    from lab.report import LogLine, Status, Summary, Xfrm
    from lab.topology import Topology

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def step(done: Step) -> None:
    """A line of ``up``."""
    out.print(f"  [bold]{done.name:<9}[/] {escape(done.what):<60} [dim]{done.seconds:5.1f} s[/]")


def up(name: str, seconds: float, nodes: Sequence[str]) -> None:
    """The last line of ``up``."""
    first, *rest = nodes
    ping = f"tkm-lab ping {first} {rest[0]}, " if rest else ""
    out.print(
        f"[bold green]{escape(name)} is up[/] in {seconds:.1f} s. "
        f"[dim]Next:[/] {ping}tkm-lab check, tkm-lab status, tkm-lab down"
    )


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """An empty table in our style."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return made


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def mark(good: bool) -> Text:
    """A check mark or a cross."""
    return Text("✓", "bold green") if good else Text("✗", "bold red")


def topologies(found: Iterable[Topology]) -> None:
    """What ``topologies`` lists."""
    listing = table("TOPOLOGY", "WHAT", "NODES", "LINKS")
    for topology in found:
        nodes = ", ".join(topology.nodes)
        listing.add_row(
            f"[bold]{topology.name}[/]", escape(topology.title), nodes, ", ".join(topology.links)
        )
    out.print(listing)


def doctor(findings: Iterable[Finding]) -> None:
    """What ``doctor`` has found."""
    listing = table("", "", "")
    listing.show_header = False
    for finding in findings:
        listing.add_row(mark(finding.good), finding.subject, escape(finding.text))
        if finding.mend and not finding.good:
            listing.add_row("", "", f"[bold]mend it:[/] {escape(finding.mend)}")
    out.print(listing)


def status(state: Status, xfrm: dict[str, Xfrm]) -> None:
    """A lab: its hosts with their daemons, and the states in their kernels."""
    summary = state.summary
    since = f"kernel {summary.kernel}, up since {_clock(summary.started)}"
    out.print(f"[bold]{summary.name}[/]  [dim]{since}[/]\n")
    hosts = table("NODE", "ADDRESS", "DAEMON", "PID", "STATE", "MEMORY", right=("PID", "MEMORY"))
    for node in state.nodes:
        addresses = ", ".join(a for i in node.interfaces for a in i.addresses)
        label = (f"[bold]{node.name}[/]", addresses)
        for daemon in node.daemons:
            alive = "[green]runs[/]" if daemon.code is None else f"[red]ended: {daemon.code}[/]"
            memory = f"{daemon.memory / 2**20:.1f} MB" if daemon.memory else ""
            hosts.add_row(*label, daemon.name, str(daemon.pid), alive, memory)
            label = ("", "")
        if not node.daemons:
            hosts.add_row(*label, "", "", "", "")
    out.print(hosts)
    states = table("NODE", "ESP STATE", "SPI", "REQID", "MODE", "PACKETS", right=("PACKETS",))
    for node_name, tables in xfrm.items():
        for sa in tables.states:
            if sa.spi:
                ends = f"{sa.src} → {sa.dst}"
                states.add_row(
                    f"[bold]{node_name}[/]",
                    ends,
                    f"{sa.spi:08x}",
                    str(sa.reqid),
                    sa.mode,
                    str(sa.packets),
                )
    if states.row_count:
        out.print()
        out.print(states)
    else:
        out.print("\n[dim]no ESP states yet: the first packet brings them up[/]")


def labs(summaries: Iterable[Summary]) -> None:
    """Several labs, a line each."""
    listing = table("LAB", "KERNEL", "SINCE", "STATE")
    for summary in summaries:
        kept = "up" if summary.kept else "being built"
        listing.add_row(f"[bold]{summary.name}[/]", summary.kernel, _clock(summary.started), kept)
    out.print(listing)


def proof(found: Proof) -> None:
    """The verdict on one link."""
    verdict = found.verdict
    beside = ", ".join(f"{count} {kind}" for kind, count in verdict.other.items()) or "nothing"
    seen = f"{verdict.frames} frames: {len(verdict.esp)} ESP; beside them {beside}"
    out.print(f"[bold]{found.link}[/]  [dim]{seen}[/]\n")
    rows = table("SENT", "", "ESP SPI", "SEQ", "FRAME", "ICV", "INSIDE", right=("SEQ", "FRAME"))
    for delivery in verdict.deliveries:
        rows.add_row(*_delivery(delivery, found.names))
    if rows.row_count:
        out.print(rows)
        out.print()
    for failure in verdict.failures:
        out.print(f"[bold red]✗[/] {escape(str(failure))}")
    if verdict.ok:
        count = len(verdict.deliveries)
        out.print(f"[bold green]proven:[/] ESP carried all {count} messages, and no plain text")
    else:
        count = len(verdict.failures)
        reasons = "the reason above" if count == 1 else f"the {count} reasons above"
        out.print(f"[bold red]refused[/] for {reasons}")


def _delivery(delivery: Delivery, names: Mapping[str, str]) -> tuple[str | Text, ...]:
    message = delivery.message
    ends = f"{names.get(message.src, message.src)} → {names.get(message.dst, message.dst)}"
    what = f"echo {'reply' if message.is_reply else 'request'} {message.sequence}"
    if not delivery.carried_by:
        return ends, what, Text("never carried", "red"), "", "", "", ""
    carrier = delivery.carried_by[0]
    inside = f"its {len(message.payload)} octets" if delivery.failure is None else "others"
    frame = str(carrier.frames[0])
    esp = (f"{carrier.spi:08x}", str(carrier.sequence), frame, mark(carrier.icv_ok))
    return (ends, what, *esp, inside)


def logs(lines: Iterable[LogLine], *, several: bool) -> None:
    """Log lines; with several daemons each line says whose it is."""
    for line in lines:
        who = f"[bold]{line.daemon:<15}[/] " if several else ""
        out.print(f"{who}{escape(line.text)}")


def trouble(text: str) -> None:
    """An error: one line on standard error."""
    err.print(f"[bold red]tkm-lab:[/] {escape(text)}")
