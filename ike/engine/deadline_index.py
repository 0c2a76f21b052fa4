# SPDX-License-Identifier: GPL-2.0-or-later
"""When each IKE SA has something to do, so that those that are quiet need not be asked.

Those are asked again that have been touched: something has come for them, their state has changed,
or there is something new in their queue; and with each its line, the IKE SAs that take each
other's place, for these change each other. All times follow from that,
see :mod:`ike.engine.timers`.
"""

from typing import TYPE_CHECKING

from ike.engine import timers

if TYPE_CHECKING:
    from ike.engine.context import EngineContext
    from ike.engine.ike_sa import IkeSa


class DeadlineIndex:
    """Of all IKE SAs of a host."""

    def __init__(self, context: "EngineContext") -> None:
        self._context = context
        self._times: dict[IkeSa, float] = {}

    def times(self) -> "dict[IkeSa, float]":
        """When each has something to do, of those that ever have."""
        touched, self._context.touched = self._context.touched, set()
        for sa in {each for one in touched for each in (one, *one.peer.members)}:
            known = sa.channel.spi_local in self._context.sas
            time = timers.next_timer(sa) if known else None
            if time is None:
                self._times.pop(sa, None)
            else:
                self._times[sa] = time
        return self._times

    def next_timer(self) -> float | None:
        """When the first of them has something to do."""
        return min(self.times().values(), default=None)

    def due(self) -> "list[IkeSa]":
        """Those that have something to do by now, in the order in which they were begun."""
        due = [sa for sa, time in self.times().items() if time <= self._context.now]
        return sorted(due, key=lambda sa: sa.id)
