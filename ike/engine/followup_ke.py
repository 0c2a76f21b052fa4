# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_FOLLOWUP_KE: further key exchanges after CREATE_CHILD_SA (RFC 9370, 2.2.4).

What CREATE_CHILD_SA has started is finished with the last of them, on both sides; until then there
is no new SA. Collisions are resolved then, too, so that all rules of RFC 7296 apply unchanged. A
link, octets that the responder chooses, connects each exchange to the next.
"""

from collections.abc import Callable, Sequence

from ike.engine.exchange import ExchangeContext, Request, Steps
from ike.engine.key_exchange_state import KeyExchangeState, PendingKeyExchanges
from ike.message.errors import MalformedMessage, PeerError, StateNotFound
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payloads import Notify, Payload

_LINK = 8
"""Octets of a link."""


def initiate(
    key_state: KeyExchangeState,
    methods: Sequence[int],
    message: Message,
    rejected: Callable[[], None] = lambda: None,
) -> Steps:
    """Do the key exchanges that follow.

    Args:
        key_state: What both sides have contributed so far.
        methods: The methods of the key exchanges that are to be done.
        message: The response to CREATE_CHILD_SA.
        rejected: Called when the peer's part is not acceptable, but the peer may have finished.

    Raises:
        PeerError: One of them has failed.
    """
    for method in methods:
        link = message.notify(NotifyType.ADDITIONAL_KEY_EXCHANGE)
        if link is None:
            raise MalformedMessage("the peer does not continue with the next key exchange")
        payload = key_state.begin(method)
        message = yield Request(
            ExchangeType.IKE_FOLLOWUP_KE,
            (payload, Notify(NotifyType.ADDITIONAL_KEY_EXCHANGE, link.data)),
        )
        message.raise_error()
        try:
            key_state.take(message, method)
        except PeerError:
            rejected()
            raise


def conclude(
    sa: ExchangeContext,
    key_state: KeyExchangeState,
    methods: Sequence[int],
    finish: Callable[[], None],
) -> Sequence[Payload]:
    """Finish a response: now, or when the key exchanges that follow are done.

    Args:
        sa: The IKE SA.
        key_state: What both sides have contributed so far.
        methods: The methods of the key exchanges that are still to be done.
        finish: Creates the new SA.

    Returns:
        The payloads that ask the peer to continue; none if nothing follows.
    """
    if not methods:
        finish()
        return ()
    link = sa.context.random(_LINK)
    deadline = sa.context.now + sa.context.settings.half_open
    sa.expect(PendingKeyExchanges(key_state.hold(), methods, finish, link, deadline))
    return (Notify(NotifyType.ADDITIONAL_KEY_EXCHANGE, link),)


def respond(sa: ExchangeContext, message: Message) -> Sequence[Payload]:
    """Answer IKE_FOLLOWUP_KE."""
    link = message.notify(NotifyType.ADDITIONAL_KEY_EXCHANGE)
    pending = sa.take_pending(link.data) if link else None
    if pending is None:
        raise StateNotFound("IKE_FOLLOWUP_KE does not follow any request that we know")
    with pending.key_state as key_state:
        method, *rest = pending.methods
        payload = key_state.answer(message, method)
        return (payload, *conclude(sa, key_state, rest, pending.finish))
