# SPDX-License-Identifier: GPL-2.0-or-later
"""``tkm-lab run``: scenarios, one after the other or side by side, reported as they go."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli import complete
from lab.cli.common import ike_option, platform_options, print_json
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.kernel.platform import Platform
    from lab.scenario.model import Scenario
    from lab.scenario.outcomes import Result
    from lab.scenario.runner import Options

RUNS = Path("tkm-lab-runs")
"""Below the current directory: where failed runs leave their directories."""


@click.command(short_help="Run scenarios: what happens in a lab, and what must hold.")
@click.argument("names", nargs=-1, metavar="[SCENARIO]…", shell_complete=complete.scenarios)
@click.option("--all", "every", is_flag=True, help="All that come with the lab.")
@click.option("--list", "listing", is_flag=True, help="Only list them.")
@ike_option
@click.option(
    "--far",
    metavar="BACKEND",
    help="Who does IKE at the far side of each scenario.",
    shell_complete=complete.back_ends,
)
@click.option("-j", "jobs", default=1, show_default=True, help="How many at once.")
@platform_options
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS,
    show_default=True,
    help="Where failed runs leave logs, captures, states.",
)
@click.option(
    "--report",
    "pages",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Leave the page of every run there, as HTML.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="A JUnit file.")
def run(
    names: tuple[str, ...],
    every: bool,
    listing: bool,
    ike: tuple[str, ...],
    far: str | None,
    jobs: int,
    platform: Platform,
    keep: Path,
    pages: Path | None,
    as_json: bool,
    junit: Path | None,
) -> None:
    """Run SCENARIOs: some of `tkm-lab run --list`, or paths of files.

    Exit codes: 0 all passed, 1 one failed, 2 wrong use, 3 none could run here.
    """
    from lab.scenario import keep as keeping
    from lab.scenario.model import load, shipped
    from lab.scenario.outcomes import exit_code, to_json, to_junit
    from lab.scenario.runner import Options

    if not (names or every or listing):
        raise UsageError("which scenario? tkm-lab run --list shows them; --all runs them")
    chosen = [load(name) for name in names or shipped()]
    chosen = [_changed(scenario, ike, far) for scenario in chosen]
    if listing:
        _list(chosen, as_json)
        return
    keep = keep.absolute()
    keeping.check(keep)
    if pages:
        pages = pages.absolute()
        keeping.check(pages, "--report")
    if junit:
        _check_writable(junit)
    options = Options(platform=platform, keep=keep, pages=pages)
    results = list(_run(chosen, options, jobs, quiet=as_json))
    if as_json:
        print_json(to_json(results))
    if junit:
        _write(junit, to_junit(results))
    sys.exit(exit_code(results))


def _changed(scenario: Scenario, backends: Sequence[str], far: str | None) -> Scenario:
    wanted = {}
    for each in backends:
        node, equals, backend = each.partition("=")
        if not equals:
            raise UsageError(f"--ike {each}: write NODE=BACKEND, as in alice=charon-tkm")
        wanted[node] = backend
    scenario = scenario.with_far(far) if far else scenario
    return scenario.with_ike(wanted)


def _list(scenarios: Sequence[Scenario], as_json: bool) -> None:
    from lab.cli import show_run

    if as_json:
        keys = ("name", "title", "holds", "far")
        rows = [{key: getattr(one, key) for key in keys} for one in scenarios]
        print_json(rows)
    else:
        show_run.listing(scenarios)


def _run(
    scenarios: Sequence[Scenario], options: Options, jobs: int, *, quiet: bool
) -> Iterator[Result]:
    """Run them all, and report each; side by side, when it is over."""
    from lab.cli import show_run
    from lab.scenario.runner import run_all

    began = time.monotonic()
    results = []
    at_once = jobs > 1
    work = run_all(scenarios, options, jobs) if at_once or quiet else _in_turn(scenarios, options)
    for result in work:
        results.append(result)
        if not quiet:
            show_run.result(result, whole=at_once)
        yield result
    if len(results) > 1 and not quiet:
        show_run.summary(results, time.monotonic() - began)


def _in_turn(scenarios: Sequence[Scenario], options: Options) -> Iterator[Result]:
    """Tell of each step as it goes."""
    from lab.cli import show_run
    from lab.scenario.runner import run as play

    for scenario in scenarios:
        show_run.head(scenario)
        with show_run.live() as (begin, report):
            result = play(scenario, dataclasses.replace(options, begin=begin, report=report))
        yield result


def _check_writable(file: Path) -> None:
    """Find out before the run whether a file can be written; a run takes minutes.

    Raises UsageError: it cannot.
    """
    there = file.exists()
    try:
        with file.open("ab"):
            pass
        if not there:
            file.unlink()
    except OSError as trouble:
        raise UsageError(f"{file}: {trouble.strerror}") from trouble


def _write(file: Path, octets: bytes) -> None:
    try:
        file.write_bytes(octets)
    except OSError as trouble:
        raise UsageError(f"{file}: {trouble.strerror}") from trouble
