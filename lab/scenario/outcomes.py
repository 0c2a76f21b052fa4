# SPDX-License-Identifier: GPL-2.0-or-later
"""Outcomes for programs: JSON, and JUnit's XML. And what a run ends with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lab.scenario.engine import Done, State
from lab.scenario.errors import CouldNotRun
from lab.scenario.model import Scenario


class Outcome(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "could not run"


EXIT_CODES = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.NOT_RUN: CouldNotRun.exit_code}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a scenario."""

    scenario: Scenario
    outcome: Outcome
    seconds: float
    reason: str = ""
    """Why it failed, or could not run."""
    steps: tuple[Done, ...] = ()
    kept: Path | None = None
    """The directory that a failed run has left."""

    @property
    def name(self) -> str:
        """Of the scenario, with the far side's back end if it has one."""
        nodes = self.scenario.topology.nodes
        far = dict.fromkeys(nodes[name].ike for name in self.scenario.far)
        return self.scenario.name + (f" ({', '.join(far)})" if far else "")


def exit_code(results: Sequence[Result]) -> int:
    """Of a run of one scenario, or of several: then those that could not run do no harm.

    If none could, nothing was proved.
    """
    outcomes = {result.outcome for result in results}
    if Outcome.FAILED in outcomes:
        return EXIT_CODES[Outcome.FAILED]
    return EXIT_CODES[Outcome.NOT_RUN if outcomes == {Outcome.NOT_RUN} else Outcome.PASSED]


def to_json(results: Sequence[Result]) -> dict[str, Any]:
    """What `json.dumps` takes."""
    counts = Counter(str(result.outcome) for result in results)
    return {
        **{str(outcome): counts[outcome] for outcome in Outcome},
        "scenarios": [_result(result) for result in results],
    }


def _result(result: Result) -> dict[str, Any]:
    scenario = result.scenario
    return {
        "name": scenario.name,
        "title": scenario.title,
        "holds": scenario.holds,
        "topology": scenario.topology.name,
        "ike": {node.name: node.ike for node in scenario.topology.nodes.values()},
        "outcome": str(result.outcome),
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        "kept": result.kept and str(result.kept),
        "steps": [_step(done) for done in result.steps],
    }


def _step(done: Done) -> dict[str, Any]:
    return {
        "step": str(done.step),
        "state": str(done.state),
        "seconds": round(done.seconds, 3),
        "seen": done.words,
    }


def to_junit(results: Sequence[Result]) -> bytes:
    """A file as JUnit's consumers read it: a test case for each scenario."""
    counts = Counter(result.outcome for result in results)
    suite = ElementTree.Element(
        "testsuite",
        name="tkm-lab",
        tests=str(len(results)),
        failures=str(counts[Outcome.FAILED]),
        errors="0",
        skipped=str(counts[Outcome.NOT_RUN]),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        suite.append(_case(result))
    ElementTree.indent(suite)
    octets: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return octets + b"\n"


def _case(result: Result) -> ElementTree.Element:
    time = f"{result.seconds:.3f}"
    case = ElementTree.Element("testcase", classname="scenarios", name=result.name, time=time)
    if result.outcome is not Outcome.PASSED:
        kind = "failure" if result.outcome is Outcome.FAILED else "skipped"
        ElementTree.SubElement(case, kind, message=_printable(result.reason))
    output = ElementTree.SubElement(case, "system-out")
    output.text = "\n".join(_printable(_line(done)) for done in result.steps)
    return case


def _line(done: Done) -> str:
    marks = {State.PASSED: "✓", State.FAILED: "✗", State.SKIPPED: "-"}
    return f"{marks[done.state]} {done.step}: {done.words} ({done.seconds:.1f} s)"


def _printable(text: str) -> str:
    """XML has no place for control characters, and what daemons say may have some."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
