# SPDX-License-Identifier: GPL-2.0-or-later
"""How things look: steps, tables, verdicts. For people; programs read --json."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lab import which

if TYPE_CHECKING:
    from lab.build import Step
    from lab.check import Proof, Whole
    from lab.kernel.probe import Finding
    from lab.pairs import Places
    from lab.proof import Delivery
    from lab.report import LogLine
    from lab.topology import Topology

out = Console(highlight=False, soft_wrap=True, width=1000)
"""As wide as anything is: a terminal wraps what is too long for it, and nothing is ever cut."""
err = Console(stderr=True, highlight=False, soft_wrap=True)

_COLORS = ("cyan", "magenta", "yellow", "green", "blue", "red")
"""Of nodes."""
_REASONS = 10
"""How many reasons of a refusal are told; after a leak there may be thousands."""


@contextmanager
def busy(what: str) -> Iterator[Callable[[str], None]]:
    """Say what is being done while it lasts; call what it gives when that is something else."""
    with err.status(f"{what} …") as spinner:
        yield lambda now: spinner.update(f"{escape(now)} …")


def step(done: Step) -> None:
    """A line of ``up``."""
    out.print(f"  [bold]{done.name:<9}[/] {escape(done.what):<60} [dim]{done.seconds:5.1f} s[/]")


def up(name: str, seconds: float, nodes: Sequence[str]) -> None:
    """The last line of ``up``."""
    first, *rest = nodes
    commands: list[tuple[str, ...]] = [("ping", first, rest[0])] if rest else []
    commands += [("check",), ("status",), ("down",)]
    out.print(f"[bold green]{escape(name)} is up[/] in {seconds:.1f} s")
    out.print(f"  [dim]next:[/] {', '.join(which.command(name, *each) for each in commands)}")


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """An empty table in our style."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return made


def clock(seconds: float) -> str:
    """The local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def mark(good: bool) -> Text:
    """A check mark or a cross."""
    return Text("✓", "bold green") if good else Text("✗", "bold red")


def topologies(found: Iterable[Topology]) -> None:
    """What ``topologies`` lists."""
    listing = table("TOPOLOGY", "WHAT", "NODES")
    for topology in found:
        nodes = ", ".join(topology.nodes)
        listing.add_row(f"[bold]{topology.name}[/]", escape(topology.title), nodes)
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


def proofs(found: Sequence[Proof], whole: Whole) -> None:
    """The verdict on each link, and as the last line the one on all of them.

    Links on which hosts talk come with what was sent.
    """
    for number, each in enumerate(found):
        if number:
            out.print()
        _proof(each)
    if len(found) > 1:
        out.print(f"\n{_together(whole, len(found))}")


def _together(whole: Whole, count: int) -> str:
    """The last line of ``check`` on several links."""
    if not whole.ok:
        refused = escape(", ".join(whole.refused))
        return f"[bold red]refused:[/] {len(whole.refused)} of {count} links: {refused}"
    if not whole.proven:
        return f"[bold]no link of {count} refuses, and on none ESP was to be seen[/]"
    proven = escape(", ".join(whole.proven))
    since = f", but only for this check: the lab has forgotten {whole.lost}" if whole.lost else ""
    return f"[bold green]proven:[/] no link of {count} refuses, ESP on {proven}{since}"


def _proof(found: Proof) -> None:
    verdict = found.verdict
    beside = ", ".join(f"{count} {kind}" for kind, count in verdict.other.items()) or "nothing"
    when = "in this check" if found.lost else "since it is up"
    seen = f"{verdict.frames} frames {when}: {len(verdict.esp)} ESP; beside them {beside}"
    out.print(f"[bold]{found.link}[/]  [dim]{seen}[/]")
    if found.lost:
        out.print(f"[dim]not before it, for the lab has forgotten {found.lost}[/]")
    out.print()
    rows = table("SENT", "", "ESP SPI", "SEQ", "FRAME", "ICV", "INSIDE", right=("SEQ", "FRAME"))
    for delivery in verdict.deliveries:
        rows.add_row(*_delivery(delivery, found.places))
    if rows.row_count:
        out.print(rows)
        out.print()
    for failure in verdict.failures[:_REASONS]:
        out.print(f"[bold red]✗[/] {escape(str(failure))}")
    if len(verdict.failures) > _REASONS:
        out.print(f"[dim]… and {len(verdict.failures) - _REASONS} more: tkm-lab check --json[/]")
    out.print(_conclusion(found))


def _conclusion(found: Proof) -> str:
    verdict = found.verdict
    if not verdict.ok:
        count = len(verdict.failures)
        return f"[bold red]refused[/] for {'this reason' if count == 1 else f'{count} reasons'}"
    if found.red:
        return "[bold red]red:[/] plain text is normal here; ESP protects what leaves for elsewhere"
    if not verdict.deliveries and not verdict.esp:
        return "[bold green]silent:[/] nobody is to talk here, and nobody did"
    carriers = {packet.frames for delivery in verdict.deliveries for packet in delivery.carried_by}
    others = len(verdict.esp) - len(carriers)
    more = f"; {others} more ESP packets verified" if others else ""
    messages = f"ESP carried all {len(verdict.deliveries)} messages{more}; no plain text"
    since = ", in this check; nothing is known of what came before" if found.lost else ""
    return f"[bold green]proven:[/] {messages}{since}"


def _delivery(delivery: Delivery, places: Places) -> tuple[str | Text, ...]:
    message = delivery.message
    ends = f"{places[message.src].node} → {places[message.dst].node}"
    what = f"echo {'reply' if message.is_reply else 'request'} {message.sequence}"
    if not delivery.carried_by:
        return ends, what, Text("never carried", "red"), "", "", "", ""
    carrier = delivery.carried_by[0]
    inside = f"its {len(message.payload)} octets" if delivery.failure is None else "others"
    frame = str(carrier.frames[0])
    esp = (f"{carrier.spi:08x}", str(carrier.sequence), frame, mark(carrier.icv_ok))
    return (ends, what, *esp, inside)


class LogPainter:
    """Shows log lines. Unless they are all of one daemon, each says when and whose it is."""

    def __init__(self, nodes: Sequence[str], *, alone: bool) -> None:
        self._alone = alone
        self._nodes = {node: _COLORS[n % len(_COLORS)] for n, node in enumerate(nodes)}
        self._width = max(map(len, nodes), default=0)

    def line(self, line: LogLine) -> None:
        """Show one."""
        if self._alone:
            out.print(escape(line.text))
            return
        when = f"{clock(line.time)}.{int(line.time % 1 * 1000):03}"
        who = f"[bold {self._nodes[line.node]}]{line.node:<{self._width}}[/]"
        out.print(f"[dim]{when}[/] {who} [dim]{line.daemon:<14}[/] {escape(line.message)}")


def hint(text: str) -> None:
    """A word on standard error about what to do next."""
    err.print(f"[dim]{escape(text)}[/]")


def warn(text: str) -> None:
    """What a person should know of a result: one line on standard error."""
    err.print(f"[yellow]tkm-lab: {escape(text)}[/]")


def trouble(text: str) -> None:
    """An error: one line on standard error."""
    err.print(f"[bold red]tkm-lab:[/] {escape(text)}")
