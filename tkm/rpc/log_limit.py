# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines are bounded, in length and in rate: what they are about comes from anybody.

Lines are similar if they were written by the same statement: each has a token bucket, so that a
flood of one kind hides no line of another. What a bucket has not let through is counted, and
reported in one line. Used by both daemons, on every handler that writes.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

BURST: Final = 500
RATE: Final = 5.0
"""Similar lines at once, and a second. A busy gateway has fewer of those that matter."""
LONGEST: Final = 1000
"""Characters of a line."""
_PAUSE: Final = 10.0
"""Tokens that have to be there again before lines of a kind are logged again: fewer reports."""
_MOST_KINDS: Final = 1000
"""Statements that log are far fewer, unless something logs texts that it has put together."""
_SUPPRESSED: Final = "%d similar lines suppressed: %s"


class _Bucket:
    """The tokens of one kind of line.

    :ivar suppressed: lines since the last one that was let through.
    """

    def __init__(self, now: float) -> None:
        self.suppressed = 0
        self._tokens = float(BURST)
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until the next line is let through."""
        self._tokens = min(BURST, self._tokens + (now - self._at) * RATE)
        self._at = now
        needed = _PAUSE if self.suppressed else 1.0
        return max(0.0, (needed - self._tokens) / RATE)

    def take(self) -> None:
        """A line is let through."""
        self._tokens -= 1.0


class Limiter(logging.Filter):
    """A filter for handlers; several can share one, and each line is judged once.

    :param clock: gives the time in seconds; never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged; one that is too long is cut."""
        judged: bool | None = record.__dict__.get("is_logged")
        if judged is None:
            judged = record.__dict__["is_logged"] = self._judge(record)
        return judged

    def _judge(self, record: logging.LogRecord) -> bool:
        kind = str(record.msg)
        if kind == _SUPPRESSED:
            return True
        now = self._clock()
        bucket = self._bucket(kind, now)
        if bucket.wait(now):
            bucket.suppressed += 1
            return False
        self._report(kind, bucket)
        bucket.take()
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True  # it does not go with its arguments: the handler reports that
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}… ({len(text)} characters)"
        record.msg, record.args = text, ()
        return True

    def _bucket(self, kind: str, now: float) -> _Bucket:
        bucket = self._buckets.get(kind)
        if bucket is None:
            kind = kind if len(self._buckets) < _MOST_KINDS else ""
            bucket = self._buckets.setdefault(kind, _Bucket(now))
        return bucket

    @staticmethod
    def _report(kind: str, bucket: _Bucket) -> None:
        if bucket.suppressed:
            suppressed, bucket.suppressed = bucket.suppressed, 0
            log.warning(_SUPPRESSED, suppressed, kind[:LONGEST])

    # A flood that is over is reported, too

    def next_timer(self) -> float | None:
        """When :meth:`handle_timer` has something to report."""
        now = self._clock()
        waits = [each.wait(now) for each in self._buckets.values() if each.suppressed]
        return now + min(waits) if waits else None

    def handle_timer(self, now: float) -> None:
        """Report what was suppressed, of kinds that are let through again."""
        for kind, bucket in self._buckets.items():
            if bucket.suppressed and not bucket.wait(now):
                self._report(kind, bucket)

    def patience(self) -> float | None:
        """Report what is due; seconds until there is more to report, ``None``: nothing waits."""
        now = self._clock()
        self.handle_timer(now)
        due = self.next_timer()
        return None if due is None else max(0.0, due - now)
