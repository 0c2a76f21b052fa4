# SPDX-License-Identifier: GPL-2.0-or-later
"""The lifetime of an IKE SA: when it is rekeyed, reauthenticated, and deleted if both fail.

As in swanctl.conf(5): ``rekey_time`` and ``reauth_time``, each less a random part of ``rand_time``,
so that two peers do not act at the same time; and ``over_time`` after the earlier of them, the end.

A peer need not support CREATE_CHILD_SA, and may refuse it for reasons that do not go away, such as
PFS on one side only. What it would have brought comes with a new IKE SA (RFC 7296, 4): it is
reauthenticated before its time.
"""

from ike.config.model import Connection
from ike.engine.context import EngineContext

PATIENCE = 60.0
"""Seconds after which a renewal that has failed is tried again."""


class Lifetime:
    """When what is due. ``None``: never, or no more.

    Attributes:
        rekey_at: It is rekeyed.
        reauthenticate_at: It is reauthenticated.
        over_at: It is deleted, whatever has become of the others.
    """

    def __init__(self) -> None:
        self.rekey_at: float | None = None
        self.reauthenticate_at: float | None = None
        self.over_at: float | None = None
        self._anew_from = 0.0

    def begin(
        self, context: EngineContext, connection: Connection, predecessor: "Lifetime | None"
    ) -> None:
        """It is established.

        Args:
            predecessor: Of the IKE SA whose place it takes: rekeying does not authenticate.
        """
        rekey_time, reauth_time = connection.rekey_time, connection.reauth_time
        over_time = _first(connection.over_time, max(rekey_time, reauth_time) / 10)
        rand_time = _first(connection.rand_time, over_time)
        self.rekey_at = _due(context, rekey_time, rand_time)
        if predecessor:
            self.reauthenticate_at = predecessor.reauthenticate_at
            self.inherit_patience(predecessor)
        else:
            self.reauthenticate_at = _due(context, reauth_time, rand_time)
        renewals = (self.rekey_at, self.reauthenticate_at)
        if times := [time for time in renewals if time is not None]:
            self.over_at = min(times) + over_time

    def end(self) -> None:
        """Nothing is due any more: it is deleted or replaced."""
        self.rekey_at = self.reauthenticate_at = self.over_at = None

    def rekey_again(self, at: float) -> None:
        """Rekey it at another time."""
        self.rekey_at = at

    def reauthenticate_again(self, at: float) -> None:
        """Reauthenticate it at another time."""
        self.reauthenticate_at = at

    def begin_anew(self, now: float) -> None:
        """Reauthenticate it soon: the peer refuses what a new IKE SA brings (RFC 7296, 4).

        At once, but not within ``PATIENCE`` of the last time, however often the peer refuses.
        """
        at = max(now, self._anew_from)
        self.reauthenticate_at = min(at, _first(self.reauthenticate_at, at))

    def inherit_patience(self, other: "Lifetime") -> None:
        """Have patience with the peer as with the IKE SA whose place it takes."""
        self._anew_from = other._anew_from

    def next_timer(self) -> float | None:
        """When the first of it is due."""
        times = (self.rekey_at, self.reauthenticate_at, self.over_at)
        return min([time for time in times if time is not None], default=None)

    def is_due(self, what: str, now: float) -> bool:
        """One of the three is due, and is not any more from now on."""
        time: float | None = getattr(self, what)
        if time is None or time > now:
            return False
        setattr(self, what, None)
        if what == "reauthenticate_at":
            self._anew_from = now + PATIENCE
        return True


def _first(configured: float | None, default: float) -> float:
    return default if configured is None else configured


def _due(context: EngineContext, span: float, rand_time: float) -> float | None:
    return context.now + span - context.jitter(min(rand_time, span)) if span else None
