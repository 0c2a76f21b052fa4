# SPDX-License-Identifier: GPL-2.0-or-later
"""How runs of scenarios look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from lab.cli.layout import Listing
from lab.cli.show import busy, line, out, prose
from lab.scenario.engine import Done, State
from lab.scenario.outcomes import Outcome

if TYPE_CHECKING:
    from lab.scenario.model import Scenario
    from lab.scenario.outcomes import Result
    from lab.scenario.step import Step

_WIDTH = 62
_MARKS = {
    State.PASSED: "[bold green]✓[/]",
    State.FAILED: "[bold red]✗[/]",
}
_COLOURS = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.NOT_RUN: "yellow"}


def listing(scenarios: Sequence[Scenario]) -> None:
    """What ``run --list`` shows."""
    columns = ("SCENARIO", "WHAT", "TOPOLOGY", "FAR")
    rows = Listing(*columns, prose=("WHAT", "FAR"))
    for one in scenarios:
        name, far = f"[bold]{one.name}[/]", ", ".join(one.far)
        rows.add_row(name, escape(one.title), one.topology.name, far)
    out.print(rows)


def head(scenario: Scenario) -> None:
    """What is run, and who does IKE in it."""
    backends = {n.name: n.ike for n in scenario.topology.nodes.values() if n.ike != "none"}
    kinds = set(backends.values())
    who = kinds if len(kinds) == 1 else (f"{node} {ike}" for node, ike in backends.items())
    prose(f"[bold]{scenario.name}[/]  {escape(scenario.title)}  [dim]{', '.join(who)}[/]")


@contextmanager
def live() -> Iterator[tuple[Callable[[Step], None], Callable[[Done], None]]]:
    """Say which step is attempted while it lasts, and report each that is over."""
    with busy("…") as now:
        yield lambda step: now(_short(str(step))), step_done


def step_done(done: Done) -> None:
    """A line for a step that was reached; its reason below it, if it has failed."""
    if done.state is State.SKIPPED:
        return
    line(_MARKS[done.state], escape(_short(str(done.step))), done.seconds, _WIDTH)
    if done.state is State.FAILED:
        prose(f"      [red]{escape(done.words)}[/]")


def result(found: Result, *, whole: bool) -> None:
    """The last line about a scenario; with `whole` all about it, if it has not passed."""
    colour = _COLOURS[found.outcome]
    if whole:
        line(f"[bold {colour}]{found.outcome:<13}[/]", escape(found.name), found.seconds, 44)
        if found.outcome is Outcome.FAILED:
            for done in found.steps:
                step_done(done)
    else:
        out.print(f"  [bold {colour}]{found.outcome}[/] [dim]in {found.seconds:.1f} s[/]")
    if found.outcome is Outcome.NOT_RUN:
        prose(f"      [yellow]{escape(found.reason)}[/]")
    if found.kept:
        out.print(f"      [dim]all that was to be seen: {escape(str(found.kept))}[/]")
    if not whole:
        out.print()


def summary(results: Sequence[Result], seconds: float) -> None:
    """The last line of several."""
    counts = Counter(each.outcome for each in results)
    parts = [f"[bold {_COLOURS[o]}]{counts[o]} {o}[/]" for o in Outcome if counts[o]]
    out.print(f"{', '.join(parts)} [dim]in {seconds:.1f} s[/]")


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
