# SPDX-License-Identifier: GPL-2.0-or-later
"""When each IKE SA has something to do, without asking all of them all the time.

Those are asked again that have changed: a message has arrived, the state is another one, an
exchange waits. So are the IKE SAs of the same line, which change each other. All deadlines come
from :mod:`ike.engine.timers`.
"""

from collections.abc import Callable

from ike.engine.ike_sa import IkeSa
from ike.engine.registry import Registry


class DeadlineIndex:
    """The deadlines of all IKE SAs of an engine.

    Args:
        registry: The IKE SAs.
        next_timer: Returns when an IKE SA has something to do.
    """

    def __init__(
        self, registry: Registry[IkeSa], next_timer: Callable[[IkeSa], float | None]
    ) -> None:
        self._registry = registry
        self._next_timer = next_timer
        self._times: dict[IkeSa, float] = {}

    def times(self) -> dict[IkeSa, float]:
        """Return when each IKE SA has something to do, of those that ever have."""
        changed = self._registry.take_changed()
        for sa in {each for one in changed for each in (one, *one.line)}:
            time = self._next_timer(sa) if sa.spi_local in self._registry else None
            if time is None:
                self._times.pop(sa, None)
            else:
                self._times[sa] = time
        return self._times

    def next_timer(self) -> float | None:
        """Return when the first of them has something to do."""
        return min(self.times().values(), default=None)

    def due(self, now: float) -> list[IkeSa]:
        """Return those that have something to do by now, in the order of their numbers."""
        due = [sa for sa, time in self.times().items() if time <= now]
        return sorted(due, key=lambda sa: sa.id)
