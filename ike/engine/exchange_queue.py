# SPDX-License-Identifier: GPL-2.0-or-later
"""What an IKE SA still has to ask of its peer: one exchange is out, the others wait."""

import logging
from collections import deque
from typing import TYPE_CHECKING

from ike.engine.context import Arrival
from ike.engine.exchange import Exchange
from ike.engine.states import State
from ike.errors import PeerError, Unauthenticated
from ike.message.message import Message
from ike.message.numbers import ExchangeType

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


class ExchangeQueue:
    """Exchanges in their order.

    :ivar current: the one that is out.
    :ivar doubt: the peer, or somebody else, has refused IKE_SA_INIT for this.
    """

    def __init__(self, sa: "IkeSa") -> None:
        self._sa = sa
        self.current: Exchange | None = None
        self.tentative_error: PeerError | None = None
        self._waiting: deque[Exchange] = deque()

    # Putting things on it

    def put(self, exchange: Exchange) -> None:
        """Do an exchange when those before it are done; :meth:`start_next` begins it."""
        self._sa.context.touch(self._sa)
        self._waiting.append(exchange)

    def put_first(self, exchange: Exchange) -> None:
        """Do an exchange before all others that wait."""
        self._waiting.appendleft(exchange)

    def take_all(self) -> list[Exchange]:
        """Take everything off, the one that is out first; nothing has been abandoned."""
        taken = [*([self.current] if self.current else []), *self.take_waiting()]
        self.current = None
        return taken

    def take_waiting(self) -> list[Exchange]:
        """Take everything off that waits."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def drop_waiting(self, reason: str) -> None:
        """Take everything off that waits; nothing comes of it."""
        for exchange in self.take_waiting():
            exchange.drop(self._sa, reason)

    def is_creating(self, reqid: int) -> bool:
        """An exchange for a Child SA of this policy is out or waits."""
        exchanges = (self.current, *self._waiting)
        return any(each and each.creates and each.creates.reqid == reqid for each in exchanges)

    @property
    def is_empty(self) -> bool:
        """Nothing is out, nothing waits."""
        return self.current is None and not self._waiting

    def due(self) -> float | None:
        """When the next one may begin; ``None`` while one is out."""
        if self.current is not None or not self._waiting:
            return None
        return min((exchange.not_before for exchange in self._waiting), default=None)

    # Working through it

    def start_next(self) -> None:
        """Begin the next exchange that is due, if none is out."""
        sa = self._sa
        while self.current is None and (exchange := self._next_due()):
            self._waiting.remove(exchange)
            if not exchange.is_wanted(sa):
                exchange.drop(sa, "the IKE SA has changed meanwhile")
                continue
            self.current = exchange
            try:
                sa.channel.request(exchange.kind, exchange.request(sa))
            except PeerError as error:
                self.current = None
                exchange.failed(sa, error)

    def _next_due(self) -> Exchange | None:
        now = self._sa.context.now
        if self._sa.state is State.GONE:
            return None
        return next((each for each in self._waiting if each.not_before <= now), None)

    def receive(self, arrival: Arrival) -> None:
        """A response has arrived, or what looks like one."""
        sa, exchange, header = self._sa, self.current, arrival.header
        awaited = sa.channel.requests.awaits(header.message_id)
        if exchange is None or not awaited or header.exchange != exchange.kind:
            log.info("%s: response %d is not awaited, dropped", sa.name, header.message_id)
            return
        try:
            message = sa.channel.open(arrival)
        except Unauthenticated as error:
            log.info("%s: response %d dropped: %s", sa.name, header.message_id, error)
            return
        except PeerError as error:
            self._done(exchange, error)
            return
        if message is not None:
            sa.heard(arrival.path)
            self._take(exchange, message)

    def _take(self, exchange: Exchange, message: Message) -> None:
        try:
            again = exchange.response(self._sa, message)
            if again is not None:
                self._sa.channel.request(exchange.kind, again)
        except PeerError as error:
            if exchange.kind == ExchangeType.IKE_SA_INIT:
                self._set_tentative_error(error)
            else:
                self._done(exchange, error)
            return
        if again is None:
            self._done(exchange, None)

    def _set_tentative_error(self, error: PeerError) -> None:
        """A refusal that anybody can have sent: wait once more for a better answer (2.21.1)."""
        log.info("%s: %s", self._sa.name, error)
        self.tentative_error = error
        self._sa.channel.requests.last_try()

    def _done(self, exchange: Exchange, error: PeerError | None) -> None:
        sa = self._sa
        if sa.state is State.GONE:
            return
        sa.channel.requests.answered()
        self.current = None
        if error:
            exchange.failed(sa, error)
        sa.deleted_early.clear()
        sa.go_on()
