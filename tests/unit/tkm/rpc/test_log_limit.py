# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines are bounded in length and rate, kind by kind, and what is missing is counted."""

import logging
from collections.abc import Iterator

import pytest

from tkm.rpc.log_limit import BURST, LONGEST, RATE, Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Setup:
    """A logger with two handlers that share a limiter, as the daemons have them."""

    def __init__(self, log: logging.Logger) -> None:
        self.log, self.clock = log, Clock()
        self.limiter = Limiter(self.clock)
        self.handlers = Lines(), Lines()
        for handler in self.handlers:
            handler.addFilter(self.limiter)
            logging.root.addHandler(handler)

    def lines(self) -> list[str]:
        """What was logged since the last time; by both handlers alike."""
        one, other = ([*handler.lines] for handler in self.handlers)
        assert one == other
        for handler in self.handlers:
            handler.lines.clear()
        return one


@pytest.fixture
def setup() -> Iterator[Setup]:
    log = logging.getLogger("tests.log_limit")
    log.setLevel(logging.INFO)
    made = Setup(log)
    yield made
    for handler in made.handlers:
        logging.root.removeHandler(handler)


def flood(setup: Setup, count: int, text: str = "packet %d from %s") -> None:
    for number in range(count):
        setup.log.info(text, number, "somebody")


def test_a_flood_is_cut_off_and_counted(setup: Setup) -> None:
    flood(setup, 100_000)
    assert setup.lines() == [f"packet {number} from somebody" for number in range(BURST)]
    setup.clock.now += 3600
    flood(setup, 1)
    missing = 100_000 - BURST
    assert setup.lines() == [
        f"{missing} similar lines suppressed: packet %d from %s",
        "packet 0 from somebody",
    ]


def test_other_kinds_of_lines_are_not_affected(setup: Setup) -> None:
    flood(setup, 10_000)
    setup.log.info("IKE_SA %s established", 1)
    assert setup.lines()[-1] == "IKE_SA 1 established"


def test_a_flood_without_end_costs_a_bounded_number_of_lines(setup: Setup) -> None:
    for _ in range(3600):
        setup.clock.now += 1
        flood(setup, 100)
        setup.limiter.handle_timer(setup.clock.now)
    lines = setup.lines()
    reports = [line for line in lines if "similar lines suppressed" in line]
    assert len(lines) - len(reports) <= BURST + RATE * 3600
    assert len(reports) <= 3600 * RATE / 10 + 1
    counted = sum(int(line.split()[0]) for line in reports)
    setup.clock.now += 3600
    assert setup.limiter.patience() is None
    last = sum(int(line.split()[0]) for line in setup.lines())
    assert len(lines) - len(reports) + counted + last == 360_000


def test_the_end_of_a_flood_is_reported_without_another_line(setup: Setup) -> None:
    assert setup.limiter.patience() is None
    flood(setup, BURST + 7)
    setup.lines()
    due = setup.limiter.next_timer()
    assert due is not None
    assert setup.limiter.patience() == due
    assert setup.lines() == []
    setup.clock.now = due
    assert setup.limiter.patience() is None
    assert setup.lines() == ["7 similar lines suppressed: packet %d from %s"]


def test_long_lines_are_cut(setup: Setup) -> None:
    setup.log.info("parsed [ %s ]", "N(COOKIE) " * 8800)
    (line,) = setup.lines()
    assert len(line) < LONGEST + 40
    assert line.endswith("… (88011 characters)")


def test_a_line_with_percent_signs_stays_as_it_is(setup: Setup) -> None:
    setup.log.info("%s and %d", "100%s", 5)
    assert setup.lines() == ["100%s and 5"]


def test_texts_of_all_kinds_take_bounded_memory(setup: Setup) -> None:
    for number in range(5000):
        setup.log.info(f"text {number}")
    assert len(setup.limiter._buckets) <= 1001
    assert len(setup.lines()) <= 1000 + BURST
