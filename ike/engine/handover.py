# SPDX-License-Identifier: GPL-2.0-or-later
"""When traffic moves to a Child SA that takes another one's place (RFC 7296, 2.8).

The responder can receive through a new Child SA before the initiator knows of it, so it must not
send through it yet. It does so when the initiator, which can receive by then, deletes the old one;
or after a while, since a peer that has lost the old one deletes nothing.
"""

import logging
from collections.abc import Iterable

from ike.engine.child_sa import ChildSa
from ike.engine.states import ChildState
from ike.message.errors import TrustedRefusal

log = logging.getLogger("ike")


class Handovers:
    """The Child SAs through which nothing is sent yet.

    Args:
        patience: How long they wait for the old one to be deleted, in seconds.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waiting: list[ChildSa] = []
        """The one that waits the longest first."""

    def begin(self, older: Iterable[ChildSa], child: ChildSa) -> None:
        """Let the peer's new Child SA take the place of older ones, when they go."""
        for other in older:
            other.give_way_to(child)
        self._waiting.append(child)

    def next_timer(self) -> float | None:
        """Return when :meth:`handle_timer` has something to do."""
        self._waiting = [each for each in self._waiting if _waits(each)]
        return self._waiting[0].installed_at + self._patience if self._waiting else None

    def handle_timer(self, now: float) -> None:
        """Send through those that have waited long enough."""
        while (due := self.next_timer()) is not None and due <= now:
            child = self._waiting.pop(0)
            try:
                child.select()
            except TrustedRefusal as error:
                log.info("nothing is sent through CHILD_SA %s: %s", child.config.name, error)


def _waits(child: ChildSa) -> bool:
    return not child.is_selected and child.state is not ChildState.GONE
