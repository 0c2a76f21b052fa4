# SPDX-License-Identifier: GPL-2.0-or-later
"""The course of a scenario: which step is next, until when it is tried, what came of each.

No I/O and no clock: who drives it attempts the current step, and reports its outcome and the time.

    engine = Engine(steps, now)
    while step := engine.step:
        engine.report(attempt(step), now)

A step that does not hold yet is tried again until its time is up. After one that fails nothing more
is done: what follows would be about a lab that nobody has thought of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.scenario.step import Step


class Attempt(StrEnum):
    """What came of trying a step."""

    HOLDS = "holds"
    NOT_YET = "not yet"
    """It does not hold; later it may."""
    FAILED = "failed"


class State(StrEnum):
    """What became of a step in the end."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """An earlier one has failed."""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that is over."""

    step: Step
    state: State
    seconds: float
    words: str
    """What was seen, or why it failed."""


class Engine:
    """Runs through steps, in their order."""

    def __init__(self, steps: Sequence[Step], now: float) -> None:
        self._steps = list(steps)
        self._began = now
        self.done: list[Done] = []

    @property
    def step(self) -> Step | None:
        """What is to be attempted now; None: it is over."""
        return self._steps[len(self.done)] if len(self.done) < len(self._steps) else None

    @property
    def passed(self) -> bool:
        """Whether all steps were done, and held."""
        return not self.step and all(done.state is State.PASSED for done in self.done)

    def report(self, attempt: Attempt, words: str, now: float) -> bool:
        """What came of attempting the current step; return whether it is over."""
        step = self.step
        if step is None:
            raise RuntimeError("there is no step left")
        seconds = now - self._began
        if attempt is Attempt.NOT_YET and seconds < step.within:
            return False
        state = State.PASSED if attempt is Attempt.HOLDS else State.FAILED
        if attempt is Attempt.NOT_YET:
            words = f"not in {step.within:g} s: {words}"
        self.done.append(Done(step, state, seconds, words))
        self._began = now
        if state is State.FAILED:
            rest = self._steps[len(self.done) :]
            self.done += [Done(each, State.SKIPPED, 0.0, "") for each in rest]
        return True
