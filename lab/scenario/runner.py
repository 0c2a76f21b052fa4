# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario at work: the engine says what is next, the stage does it, the clock runs here.

After its last step comes one of ours: whatever a scenario is about, no plain text of protected
hosts may have been on a black link. Then the lab ends; of a run that failed, a directory with all
that was to be seen stays.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from lab.build import backends, builder, identities
from lab.client.lab import Lab
from lab.errors import KernelError, LabError, UsageError
from lab.kernel import syscalls
from lab.kernel.platform import Platform
from lab.pki import KeyStock
from lab.scenario import certificates, keep, needs
from lab.scenario.engine import Attempt, Done, Engine, State
from lab.scenario.errors import CouldNotRun, Failed, NotYet
from lab.scenario.model import Scenario
from lab.scenario.outcomes import Outcome, Result
from lab.scenario.packets import PLAIN
from lab.scenario.stage import Stage
from lab.scenario.step import Step
from lab.topology import Topology

_PAUSE = 0.05
"""Seconds between two looks at what does not hold yet."""


def _silence(_: object) -> None:
    """Tell nobody. (Not a lambda: options go to other processes.)"""


@dataclass(frozen=True)
class Options:
    """How scenarios are run."""

    platform: Platform = field(default_factory=Platform)
    """What its lab runs on."""
    keep: Path | None = None
    """Where a failed run leaves its directory; None: nowhere."""
    pages: Path | None = None
    """Where every run leaves a page, see `lab.observe.report`; None: nowhere."""
    begin: Callable[[Step], None] = _silence
    """Receives each step that is attempted."""
    report: Callable[[Done], None] = _silence
    """Receives each step that is over."""


@dataclass(frozen=True, kw_only=True)
class NoPlainText(Step):
    """The last step of every scenario."""

    acts: ClassVar[bool] = False
    links: tuple[str, ...]

    def attempt(self, stage: Stage) -> str:
        seen = {link: stage.packets(link) for link in self.links}
        for link, packets in seen.items():
            for packet in packets:
                if packet.kind == PLAIN:
                    raise Failed(f"plain text on {link}: {packet.text}")
        return f"{sum(map(len, seen.values()))} packets on {', '.join(seen)}"

    def __str__(self) -> str:
        return "no plain text"


def run(scenario: Scenario, options: Options) -> Result:
    """Run a scenario; nothing of its lab is left."""
    began = time.monotonic()
    engine = Engine(_steps(scenario), began)
    draft = None
    try:
        _check_machine(scenario)
        with closing(Stage(scenario.topology, lambda: _build(scenario, options.platform))) as stage:
            _drive(engine, stage, options)
            if options.pages:
                _write_page(stage, engine, options.pages / f"{scenario.name}.html")
            if not engine.passed and options.keep:
                draft = _keep(stage, engine, options.keep, scenario.name)
    except CouldNotRun as lack:
        return Result(scenario, Outcome.NOT_RUN, time.monotonic() - began, str(lack))
    result = _result(scenario, engine, time.monotonic() - began)
    if isinstance(draft, keep.Draft):
        result = replace(result, kept=draft.whole)
        keep.save_result(result, draft.path)
        draft.finish()
    elif draft:
        result = replace(result, reason=f"{result.reason}; nothing was kept: {draft}")
    return result


def _write_page(stage: Stage, engine: Engine, file: Path) -> None:
    """Write the page of a run. Raises UsageError: it cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as trouble:
        raise UsageError(f"{file.parent}: {trouble.strerror}") from trouble
    keep.save_page(stage, engine.done, file)


def _keep(stage: Stage, engine: Engine, parent: Path, name: str) -> keep.Draft | str:
    """Write down what a failed run has seen; if that cannot be, return why: its result counts."""
    try:
        draft = keep.begin(parent, name)
        keep.save(stage, draft.path)
        with contextlib.suppress(LabError):  # the lab may be what has died: the rest is kept
            keep.save_page(stage, engine.done, draft.path / "run.html")
    except LabError as trouble:
        return str(trouble)
    except OSError as trouble:
        return f"{trouble.filename or parent}: {trouble.strerror}"
    return draft


def run_all(scenarios: Sequence[Scenario], options: Options, jobs: int) -> Iterator[Result]:
    """Run scenarios, so many at once; each result as soon as it and those before it are there.

    In processes, not threads: a lab's keeper is forked from who starts it.
    """
    if jobs < 2:
        yield from (run(scenario, options) for scenario in scenarios)
        return
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, fork, _die_with, (os.getpid(),)) as pool:
        try:
            yield from pool.map(_run_in_pool, scenarios, [options] * len(scenarios))
        except BrokenProcessPool as broken:
            raise LabError("a process that ran a scenario was killed: run it again") from broken


def _run_in_pool(scenario: Scenario, options: Options) -> Result:
    try:
        return run(scenario, options)
    except KeyboardInterrupt:
        os._exit(130)  # or this process would take the next scenario; the lab is down already


def _die_with(parent: int) -> None:
    """Do not wait for work that never comes: a pool's pipes stay open when its owner is killed."""
    syscalls.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _check_machine(scenario: Scenario) -> None:
    """Raises CouldNotRun: a back end is not installed, or cannot do what is needed."""
    try:
        backends.check(scenario.topology)
    except LabError as lack:
        raise CouldNotRun(str(lack)) from lack
    needs.check(scenario.topology, scenario.needs)


def _steps(scenario: Scenario) -> list[Step]:
    red = scenario.topology.red_links
    black = tuple(link for link in scenario.topology.links if link not in red)
    last = NoPlainText(links=black)
    return [*scenario.steps, *([] if scenario.plain_text else [last])]


def _build(scenario: Scenario, platform: Platform) -> Lab:
    def issue(_: Topology, stock: KeyStock) -> builder.Files:
        return _issue(scenario, stock)

    name = f"run-{os.getpid()}"
    try:
        return builder.up(
            scenario.topology, name, identities=issue, keep=False, **platform._asdict()
        )
    except KernelError as lack:
        raise CouldNotRun(str(lack)) from lack


def _drive(engine: Engine, stage: Stage, options: Options) -> None:
    """Attempt step after step, and report each that is over. Raises CouldNotRun."""
    while step := engine.step:
        options.begin(step)
        if step.acts:
            stage.mark()
        before = len(engine.done)
        while not engine.report(*_attempt(step, stage), time.monotonic()):
            time.sleep(_PAUSE)  # between two looks at what does not hold yet
        for done in engine.done[before:]:
            options.report(done)


def _attempt(step: Step, stage: Stage) -> tuple[Attempt, str]:
    try:
        return Attempt.HOLDS, step.attempt(stage)
    except CouldNotRun:
        raise
    except NotYet as reason:
        return Attempt.NOT_YET, str(reason)
    except LabError as reason:
        return Attempt.FAILED, str(reason)


def _result(scenario: Scenario, engine: Engine, seconds: float) -> Result:
    steps = tuple(engine.done)
    failed = [done for done in steps if done.state is State.FAILED]
    if not failed:
        return Result(scenario, Outcome.PASSED, seconds, steps=steps)
    reason = f"{failed[0].step}: {failed[0].words}"
    return Result(scenario, Outcome.FAILED, seconds, reason, steps)


def _issue(scenario: Scenario, stock: KeyStock) -> builder.Files:
    """The files of all hosts, with what is wrong with some of them."""
    root, hosts = identities.issue(scenario.topology, stock)
    spoilt = {
        node: certificates.FLAWS[flaw](root, hosts[node])
        for node, flaw in scenario.identities.items()
    }
    files: builder.Files = {}
    for name, own in (hosts | spoilt).items():
        topology = scenario.topology_of(name)
        node = topology.nodes[name]
        files[name] = backends.backend_of(node).files(topology, node, root, own)
    return files
