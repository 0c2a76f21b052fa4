# SPDX-License-Identifier: GPL-2.0-or-later
"""How things look: steps, tables, verdicts. For people; programs read --json."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lab.cli.layout import Listing, wrapped
from lab.client import which

if TYPE_CHECKING:
    from lab.build.builder import Step
    from lab.check.checker import Proof, Whole
    from lab.check.pairs import Places
    from lab.check.proof import Delivery
    from lab.client.status import LogLine
    from lab.kernel.probe import Finding
    from lab.topology import Topology

_UNLIMITED = 100_000
"""Columns of what is not a terminal: a program finds a row on one line, and nothing is cut."""


def _console(*, errors: bool) -> Console:
    stream = sys.stderr if errors else sys.stdout
    terminal = stream is not None and stream.isatty()
    return Console(
        stderr=errors, highlight=False, soft_wrap=True, width=None if terminal else _UNLIMITED
    )


out = _console(errors=False)
err = _console(errors=True)

_COLORS = ("cyan", "magenta", "yellow", "green", "blue", "red")
"""Of nodes."""
_REASONS = 10
"""How many reasons of a refusal are shown; after a leak there may be thousands."""


@contextmanager
def busy(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done while it lasts; call the result when that changes.

    Nothing of it is shown where there is no terminal. The console that shows the spinner must own
    the terminal meanwhile: it is `out`, if that is a terminal, so that lines are printed above
    the spinner, and the spinner is never part of a line.
    """
    owner = out if sys.stdout.isatty() else err
    if not owner.file.isatty():
        yield lambda now: None
        return
    with owner.status(_spinner(what, owner)) as spinner:
        yield lambda now: spinner.update(_spinner(now, owner))


def _spinner(what: str, console: Console) -> Text:
    """The text beside a spinner: on one line, since a terminal would keep any others."""
    text = Text(f"{what} …")
    text.truncate(max(console.width - 4, 1), overflow="ellipsis")
    return text


def prose(text: str | Text) -> None:
    """Print a line; on a terminal it wraps at spaces, and a longer word stays whole."""
    whole = Text.from_markup(text) if isinstance(text, str) else text
    for piece in [whole] if out.width == _UNLIMITED else wrapped(whole, out.width):
        out.print(piece)


def step(done: Step) -> None:
    """A line of ``up``."""
    line(f"[bold]{done.name:<9}[/]", escape(done.what), done.seconds, 60)


def line(head: str, what: str, seconds: float, width: int) -> None:
    """A line with a head, what was done, and how long it took; only what was done wraps.

    Args:
        head: rich's markup.
        what: rich's markup.
        seconds: how long it took.
        width: the cells of `what`; less in a narrow terminal.
    """
    first, times = Text.from_markup(head), Text(f"{seconds:5.1f} s", "dim")
    rest = first.cell_len + times.cell_len + 4
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=2 + first.cell_len)
    if out.width < _UNLIMITED:
        row.add_column(width=max(min(width, out.width - rest), 1), overflow="fold")
    else:
        row.add_column(min_width=width, no_wrap=True)
    row.add_column(no_wrap=True)
    row.add_row(Text("  ") + first, what, times)
    out.print(row)


def up(name: str, seconds: float, nodes: Sequence[str]) -> None:
    """The last line of ``up``."""
    first, *rest = nodes
    commands: list[tuple[str, ...]] = [("ping", first, rest[0])] if rest else []
    commands += [("check",), ("status",), ("down",)]
    out.print(f"[bold green]{escape(name)} is up[/] in {seconds:.1f} s")
    for number, words in enumerate(commands):  # a line each, or a terminal would break one
        label = "[dim]next:[/]" if number == 0 else " " * len("next:")
        out.print(f"  {label} {escape(which.command(name, *words))}")


def clock(seconds: float) -> str:
    """The local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def mark(good: bool) -> Text:
    """A check mark or a cross."""
    return Text("✓", "bold green") if good else Text("✗", "bold red")


def topologies(found: Iterable[Topology]) -> None:
    """What ``topologies`` lists."""
    listing = Listing("TOPOLOGY", "WHAT", "NODES", prose=("WHAT", "NODES"))
    for topology in found:
        nodes = ", ".join(topology.nodes)
        listing.add_row(f"[bold]{topology.name}[/]", escape(topology.title), nodes)
    out.print(listing)


def doctor(findings: Iterable[Finding]) -> None:
    """What ``doctor`` has found."""
    for finding in findings:
        listing = Listing("", "", "", prose=("",))
        listing.add_row(mark(finding.good), f"{finding.subject:<15}", escape(finding.text))
        out.print(listing)
        if finding.mend and not finding.good:
            out.print(f"   [bold]mend it:[/] {escape(finding.mend)}")


def proofs(lab: str, found: Sequence[Proof], whole: Whole) -> None:
    """The verdict on each link, and as the last line the one on all of them.

    Links on which hosts talk come with what was sent.
    """
    for number, each in enumerate(found):
        if number:
            out.print()
        _proof(lab, each)
    if len(found) > 1:
        out.print()
        prose(_together(whole, len(found)))


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


def _proof(lab: str, found: Proof) -> None:
    verdict = found.verdict
    beside = ", ".join(f"{count} {kind}" for kind, count in verdict.other.items()) or "nothing"
    when = "in this check" if found.lost else "since it is up"
    seen = f"{verdict.frames} frames {when}: {len(verdict.esp)} ESP; beside them {beside}"
    prose(f"[bold]{found.link}[/]  [dim]{seen}[/]")
    if found.lost:
        prose(f"[dim]not before it, for the lab has forgotten {found.lost}[/]")
    out.print()
    columns = ("SENT", "", "ESP SPI", "SEQ", "FRAME", "ICV", "INSIDE")
    rows = Listing(*columns, right=("SEQ", "FRAME"), prose=("SENT",))
    for delivery in verdict.deliveries:
        rows.add_row(*_delivery(delivery, found.places))
    if rows.row_count:
        out.print(rows)
        out.print()
    for failure in verdict.failures[:_REASONS]:
        prose(f"[bold red]✗[/] {escape(str(failure))}")
    if len(verdict.failures) > _REASONS:
        again = escape(which.command(lab, "check", "--json"))
        out.print(f"[dim]… and {len(verdict.failures) - _REASONS} more: {again}[/]")
    prose(_conclusion(found))


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
    """Shows log lines. Unless they are all of one daemon, each shows when and whose it is."""

    def __init__(self, nodes: Sequence[str], *, alone: bool) -> None:
        self._alone = alone
        self._nodes = {node: _COLORS[n % len(_COLORS)] for n, node in enumerate(nodes)}
        self._width = max(map(len, nodes), default=0)

    def line(self, line: LogLine) -> None:
        """Show one."""
        if self._alone:
            prose(escape(line.text))
            return
        when = f"{clock(line.time)}.{int(line.time % 1 * 1000):03}"
        who = f"[bold {self._nodes[line.node]}]{line.node:<{self._width}}[/]"
        prose(f"[dim]{when}[/] {who} [dim]{line.daemon:<14}[/] {escape(line.message)}")


def hint(text: str) -> None:
    """A word on standard error about what to do next."""
    err.print(f"[dim]{escape(text)}[/]")


def warn(text: str) -> None:
    """What a person should know of a result: one line on standard error."""
    err.print(f"[yellow]tkm-lab: {escape(text)}[/]")


def trouble(text: str) -> None:
    """An error: one line on standard error."""
    err.print(f"[bold red]tkm-lab:[/] {escape(text)}")
