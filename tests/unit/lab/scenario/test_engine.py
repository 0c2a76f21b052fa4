# SPDX-License-Identifier: GPL-2.0-or-later
"""The course of a scenario, and what comes out of it for programs. No lab is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from lab.scenario.engine import Attempt, Done, Engine, State
from lab.scenario.model import parse
from lab.scenario.outcomes import Outcome, Result, exit_code, to_json, to_junit
from lab.scenario.step import Step
from lab.scenario.suites import suite_of

QUICK, PATIENT = Step(), Step(within=5)
SCENARIO = parse(
    "x",
    'title = "t"\nholds = "h"\nfar = ["bob"]\nsteps = [{ ping = "alice -> bob" }]\n',
)


def test_steps_come_one_after_the_other() -> None:
    engine = Engine([QUICK, PATIENT], 10.0)
    assert engine.step is QUICK
    assert engine.report(Attempt.HOLDS, "seen", 11.0)
    assert engine.step is PATIENT
    assert not engine.passed
    assert engine.report(Attempt.HOLDS, "", 13.5)
    assert engine.step is None
    assert engine.passed
    assert engine.done == [
        Done(QUICK, State.PASSED, 1.0, "seen"),
        Done(PATIENT, State.PASSED, 2.5, ""),
    ]


def test_what_does_not_hold_yet_is_tried_until_its_time_is_up() -> None:
    engine = Engine([QUICK, PATIENT, QUICK], 0.0)
    engine.report(Attempt.HOLDS, "", 3.0)
    assert not engine.report(Attempt.NOT_YET, "1 of 2", 7.9)
    assert engine.step is PATIENT
    assert engine.report(Attempt.NOT_YET, "1 of 2", 8.0)
    assert [done.state for done in engine.done] == [State.PASSED, State.FAILED, State.SKIPPED]
    assert engine.done[1].words == "not in 5 s: 1 of 2"
    assert engine.step is None
    assert not engine.passed


def test_a_step_without_patience_is_tried_once() -> None:
    engine = Engine([QUICK], 0.0)
    assert engine.report(Attempt.NOT_YET, "no", 0.0)
    assert engine.done[0].state is State.FAILED


def test_a_failure_ends_it_at_once() -> None:
    engine = Engine([PATIENT, QUICK], 0.0)
    assert engine.report(Attempt.FAILED, "no", 0.5)
    assert [done.state for done in engine.done] == [State.FAILED, State.SKIPPED]
    with pytest.raises(RuntimeError):
        engine.report(Attempt.HOLDS, "", 1.0)


def result(outcome: Outcome, reason: str = "") -> Result:
    step = SCENARIO.steps[1]
    return Result(SCENARIO, outcome, 2.0, reason, (Done(step, State.FAILED, 1.0, "\x1b[31m"),))


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([Outcome.PASSED], 0),
        ([Outcome.FAILED], 1),
        ([Outcome.NOT_RUN], 3),
        ([Outcome.PASSED, Outcome.NOT_RUN], 0),
        ([Outcome.PASSED, Outcome.FAILED, Outcome.NOT_RUN], 1),
        ([Outcome.NOT_RUN, Outcome.NOT_RUN], 3),
    ],
)
def test_exit_codes(outcomes: list[Outcome], code: int) -> None:
    assert exit_code([result(outcome) for outcome in outcomes]) == code


def test_json() -> None:
    told = json.loads(json.dumps(to_json([result(Outcome.FAILED, "why")])))
    assert (told["passed"], told["failed"], told["could not run"]) == (0, 1, 0)
    (one,) = told["scenarios"]
    assert one["name"], one["reason"] == ("x", "why")
    assert one["ike"] == {"alice": "builtin", "bob": "builtin"}
    assert one["steps"] == [
        {"step": "ping alice -> bob", "state": "failed", "seconds": 1.0, "seen": "\x1b[31m"}
    ]


def test_junit() -> None:
    other = SCENARIO.with_far("strongswan")
    lacking = replace(result(Outcome.NOT_RUN, "no charon"), scenario=other)
    suite = ElementTree.fromstring(
        to_junit([result(Outcome.PASSED), result(Outcome.FAILED, "a\x00b"), lacking])
    )
    assert suite.attrib | {"tests": "3", "failures": "1", "skipped": "1"} == suite.attrib
    passed, failed, skipped = suite.findall("testcase")
    assert [case.get("name") for case in suite] == ["x (builtin)", "x (builtin)", "x (strongswan)"]
    assert passed.find("failure") is passed.find("skipped") is None
    assert failed.find("failure").get("message") == r"a\x00b"  # type: ignore[union-attr]
    assert skipped.find("skipped").get("message") == "no charon"  # type: ignore[union-attr]
    output = failed.findtext("system-out")
    assert output == r"✗ ping alice -> bob: \x1b[31m (1.0 s)"


@pytest.mark.parametrize(
    ("fields", "suite"),
    [
        (
            {
                "encr-alg": "AES_CBC",
                "encr-keysize": "256",
                "integ-alg": "HMAC_SHA2_512_256",
                "prf-alg": "PRF_HMAC_SHA2_512",
                "dh-group": "MODP_3072",
                "ake1": "MODP_4096",
            },
            "aes256-sha512-modp3072-ke1_modp4096",
        ),
        (
            {"encr-alg": "AES_GCM_16", "encr-keysize": "128", "dh-group": "ECP_256"},
            "aes128gcm16-ecp256",
        ),
        ({"encr-alg": "NEW"}, "NEW"),
    ],
)
def test_suites(fields: dict[str, str], suite: str) -> None:
    assert suite_of(fields) == suite
