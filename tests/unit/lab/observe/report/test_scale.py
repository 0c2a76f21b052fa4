# SPDX-License-Identifier: GPL-2.0-or-later
"""The time axis: in order, to scale within a burst, and cut where nothing happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.observe.report.scale import Scale

TIMES = st.lists(st.floats(0, 1e9, allow_nan=False), min_size=1, max_size=30)


@given(TIMES)
def test_places_keep_the_order_and_stay_on_the_axis(times: list[float]) -> None:
    scale = Scale(times, 1000)
    places = [scale.place(time) for time in sorted(times)]
    assert places == sorted(places)
    assert all(0 <= place <= 1000 for place in places)


def test_a_burst_is_to_scale_and_a_silence_is_cut() -> None:
    scale = Scale([0.0, 0.1, 0.2, 100.2, 100.3], 1000)
    first, second, third, fourth, last = map(scale.place, (0.0, 0.1, 0.2, 100.2, 100.3))
    assert (first, last) == (0.0, 1000.0)
    assert second == pytest.approx(third - second, abs=0.2)
    assert fourth - third == pytest.approx(1.2 * second, abs=0.3)  # as 0.12 seconds would be
    ((place, seconds),) = scale.cuts()
    assert place == pytest.approx((third + fourth) / 2, abs=0.1)
    assert seconds == 100.0


def test_what_is_outside_is_at_the_nearer_end() -> None:
    scale = Scale([10.0, 10.4], 1000)
    assert (scale.place(9.0), scale.place(11.0)) == (0.0, 1000.0)


def test_one_event_or_none_makes_an_axis() -> None:
    assert Scale([5.0], 1000).place(5.0) == 0.0
    assert Scale([], 1000).place(5.0) == 0.0
