# SPDX-License-Identifier: GPL-2.0-or-later
"""The exchanges of an IKE SA: one is out, the others wait (RFC 7296, 2.3: a window of one)."""

from collections import deque
from types import GeneratorType
from typing import NamedTuple

from ike.engine.exchange import Exchange, IkeSaContext, Steps
from ike.message.errors import PeerError


class Outstanding(NamedTuple):
    """An exchange that has started. Its request is out, or it is being run.

    Attributes:
        exchange: The exchange.
        steps: Its generator, suspended where it yielded the request.
    """

    exchange: Exchange[IkeSaContext]
    steps: Steps

    def stop(self) -> None:
        """Give back everything that it has taken; a step that is running does so at its end."""
        running = isinstance(self.steps, GeneratorType) and self.steps.gi_running
        if not running:
            self.steps.close()


class ExchangeQueue:
    """Exchanges in their order.

    Attributes:
        current: The exchange that is out, with the state that it has built up.
        kind: The exchange type of the request that is out.
        tentative_error: An unprotected error response to it, which may be forged.
    """

    def __init__(self) -> None:
        self.current: Outstanding | None = None
        self.kind = 0
        self.tentative_error: PeerError | None = None
        self._waiting: deque[Exchange[IkeSaContext]] = deque()

    def put(self, exchange: Exchange[IkeSaContext]) -> None:
        """Do an exchange after all others that wait."""
        self._waiting.append(exchange)

    def put_first(self, exchange: Exchange[IkeSaContext]) -> None:
        """Do an exchange before all others that wait."""
        self._waiting.appendleft(exchange)

    def started(self, outstanding: Outstanding) -> None:
        """Note that an exchange has started."""
        self.current = outstanding

    def sent(self, kind: int) -> None:
        """Note that the current exchange has sent a request."""
        self.kind = kind
        self.tentative_error = None

    def doubt(self, error: PeerError) -> None:
        """Note an error response that may be forged."""
        self.tentative_error = error

    def finished(self) -> None:
        """Note that the current exchange has ended."""
        self.current = None

    def next_due(self, now: float) -> Exchange[IkeSaContext] | None:
        """Take the next exchange that may start; ``None`` while one is out."""
        if self.current is not None:
            return None
        due = next((each for each in self._waiting if each.not_before <= now), None)
        if due is not None:
            self._waiting.remove(due)
        return due

    def take_waiting(self) -> list[Exchange[IkeSaContext]]:
        """Remove and return the exchanges that wait."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def take_all(self) -> list[Exchange[IkeSaContext]]:
        """Remove and return all exchanges; the one that is out is stopped, and comes first."""
        current, self.current = self.current, None
        if current is None:
            return self.take_waiting()
        current.stop()
        return [current.exchange, *self.take_waiting()]

    def is_creating(self, reqid: int) -> bool:
        """Return whether an exchange for a Child SA of this policy is out or waits."""
        current = [self.current.exchange] if self.current else []
        return any(
            each.creates and each.creates.reqid == reqid for each in (*current, *self._waiting)
        )

    @property
    def is_empty(self) -> bool:
        """Nothing is out and nothing waits."""
        return self.current is None and not self._waiting

    def due(self) -> float | None:
        """Return when the next exchange may start; ``None`` while one is out."""
        if self.current is not None or not self._waiting:
            return None
        return min(exchange.not_before for exchange in self._waiting)
