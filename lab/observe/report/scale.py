# SPDX-License-Identifier: GPL-2.0-or-later
"""Time to a place on the page. Long silences are cut short, so that bursts can be seen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise

_SILENCE = 0.5
"""Seconds without an event after which the axis is cut."""
_CUT = 0.12
"""The seconds that a cut takes on the axis."""


class Scale:
    """A map from times to places from 0 to `width`, monotonic.

    Args:
        times: of all events, in seconds; in any order.
        width: of the axis.
    """

    def __init__(self, times: Iterable[float], width: float) -> None:
        self._times = sorted(set(times)) or [0.0]
        self._places = list(_stretched(self._times))
        self._factor = width / (self._places[-1] or 1.0)
        self.start = self._times[0]

    def place(self, time: float) -> float:
        """Where a time is; one that is outside is at the nearer end."""
        after = bisect_right(self._times, time)
        if after == 0:
            return 0.0
        place = self._places[after - 1]
        if after < len(self._times):
            begin, end = self._times[after - 1], self._times[after]
            place += (time - begin) / (end - begin) * (self._places[after] - place)
        return round(place * self._factor, 1)

    def cuts(self) -> Iterator[tuple[float, float]]:
        """The cuts: where, and how many seconds are left out."""
        for begin, end in pairwise(self._times):
            if end - begin > _SILENCE:
                yield self.place((begin + end) / 2), end - begin


def _stretched(times: list[float]) -> Iterator[float]:
    """Times from zero, with silences cut short."""
    place = 0.0
    yield place
    for begin, end in pairwise(times):
        place += _CUT if end - begin > _SILENCE else end - begin
        yield place
