# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_FOLLOWUP_KE: further key exchanges behind CREATE_CHILD_SA (RFC 9370, 2.2.4).

What CREATE_CHILD_SA has begun comes to its end with the last of them, on both sides; until then
there is no new SA. Collisions are settled then, too, so that all rules of RFC 7296 hold as they
are. A link, opaque octets of the responder's, leads from each exchange to the next.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ike.engine.exchange import Exchange
from ike.engine.key_exchange_state import KeyExchangeState
from ike.errors import MalformedMessage, PeerError, StateNotFound
from ike.message.message import Message
from ike.message.notify import Notify
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payload import Payload

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

_LINK = 8


class Followed(Exchange):
    """An exchange that further key exchanges can follow, before it comes to its end."""

    @abstractmethod
    def finish(self, sa: "IkeSa", key_state: KeyExchangeState) -> None:
        """All key exchanges are done.

        :raises PeerError: nothing comes of it; :meth:`failed` is called then.
        """

    def renounce(self, sa: "IkeSa") -> None:
        """The peer's answer is no good to us: it may have what we do not have."""

    def follow_up(
        self, sa: "IkeSa", key_state: KeyExchangeState, methods: Sequence[int], message: Message
    ) -> None:
        """Do the next key exchange, or finish.

        :param methods: of the key exchanges that are still to be done.
        :param message: the last response.
        """
        if not methods:
            self.finish(sa, key_state)
            return
        link = message.notify(NotifyType.ADDITIONAL_KEY_EXCHANGE)
        if link is None:
            raise MalformedMessage("the peer does not go on with the next key exchange")
        sa.queue.put_first(FollowupKe(self, key_state, methods, link.data))


class FollowupKe(Exchange):
    """Do the next key exchange.

    :param first: what it follows; whatever becomes of this becomes of that.
    """

    kind = ExchangeType.IKE_FOLLOWUP_KE

    def __init__(
        self, first: Followed, key_state: KeyExchangeState, methods: Sequence[int], link: bytes
    ) -> None:
        self._first = first
        self.scope = first.scope
        self.creates = first.creates
        self._key_state = key_state
        self._methods = methods
        self._link = link

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        link = Notify(NotifyType.ADDITIONAL_KEY_EXCHANGE, self._link)
        return (self._key_state.begin(self._methods[0]), link)

    def response(self, sa: "IkeSa", message: Message) -> None:
        message.raise_error()
        try:
            self._key_state.take(message, self._methods[0])
        except PeerError:
            self._first.renounce(sa)
            raise
        self._first.follow_up(sa, self._key_state, self._methods[1:], message)

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        self._first.failed(sa, error)

    def abandon(self) -> None:
        self._first.abandon()

    def drop(self, sa: "IkeSa", reason: str) -> None:
        self._first.drop(sa, reason)

    def again(self) -> Exchange | None:
        return self._first.again()


class Pending:
    """What the peer has begun, and may go on with until ``deadline``."""

    def __init__(
        self,
        key_state: KeyExchangeState,
        methods: Sequence[int],
        finish: Callable[[], None],
        link: bytes,
        deadline: float,
    ) -> None:
        self.key_state = key_state
        self.methods = methods
        self.finish = finish
        self.link = link
        self.deadline = deadline


def conclude(
    sa: "IkeSa", key_state: KeyExchangeState, methods: Sequence[int], finish: Callable[[], None]
) -> Sequence[Payload]:
    """Finish an answer, now or when the key exchanges that follow are done.

    :param methods: of those that are still to be done.
    :returns: what the answer says of them.
    """
    if not methods:
        finish()
        return ()
    link = sa.context.random(_LINK)
    deadline = sa.context.now + sa.context.settings.half_open
    sa.expect(Pending(key_state.hold(), methods, finish, link, deadline))
    return (Notify(NotifyType.ADDITIONAL_KEY_EXCHANGE, link),)


def respond(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """Answer IKE_FOLLOWUP_KE."""
    link = message.notify(NotifyType.ADDITIONAL_KEY_EXCHANGE)
    pending = sa.pending
    if pending is None or link is None or link.data != pending.link:
        raise StateNotFound("no key exchange is waited for that this could follow")
    sa.pending = None
    with pending.key_state as key_state:
        method, *rest = pending.methods
        payload = key_state.begin(method)
        key_state.take(message, method)
        return (payload, *conclude(sa, key_state, rest, pending.finish))
