# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_INTERMEDIATE: further key exchanges, before anybody is authenticated (RFC 9242; RFC 9370).

Each has an exchange of its own, protected by the keys that there were before; both messages are
covered by AUTH, see :class:`~ike.engine.channel.Channel`. Afterwards its secret is mixed into the
keys.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ike.config.model import ChildConfig
from ike.engine import negotiation
from ike.engine.create_child_sa import fail_child
from ike.engine.exchange import Exchange
from ike.engine.ike_auth import IkeAuth
from ike.errors import MalformedMessage, PeerError
from ike.message.ke import KeyExchange as KeyExchangePayload
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payload import Payload
from ike.tkm_client import KeyExchange

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa


def proceed(sa: "IkeSa", child: ChildConfig) -> Exchange:
    """What comes next in setting up an IKE SA: a key exchange that is still to be done, or AUTH.

    :param child: the Child SA to set up in IKE_AUTH.
    """
    return IkeIntermediate(child) if sa.additional else IkeAuth(child)


class IkeIntermediate(Exchange):
    """Do the next key exchange."""

    kind = ExchangeType.IKE_INTERMEDIATE

    def __init__(self, child: ChildConfig) -> None:
        self._child = child
        self.creates = child
        self._key_exchange: KeyExchange | None = None

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        self._key_exchange = KeyExchange(sa.context.tkm, sa.additional[0])
        return (_payload(self._key_exchange),)

    def response(self, sa: "IkeSa", message: Message) -> None:
        message.raise_error()
        exchange = self._key_exchange
        if exchange is None:
            raise LookupError("IKE_INTERMEDIATE has not begun")
        exchange.complete(negotiation.public_value(message, exchange.method))
        sa.keys.update(exchange)
        sa.additional = sa.additional[1:]
        sa.queue.put_first(proceed(sa, self._child))

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        self.abandon()
        fail_child(sa, self._child, error)
        sa.close(str(error), wanted=False)

    def abandon(self) -> None:
        if self._key_exchange:
            self._key_exchange.free()


def respond(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """Answer IKE_INTERMEDIATE."""
    if not sa.additional:
        raise MalformedMessage("IKE_INTERMEDIATE, and no key exchange is to be done")
    method, *rest = sa.additional
    exchange = KeyExchange(sa.context.tkm, method)
    try:
        exchange.complete(negotiation.public_value(message, method))
    except PeerError:
        exchange.free()
        raise
    sa.additional = tuple(rest)
    sa.pending_key_exchange = exchange
    return (_payload(exchange),)


def _payload(exchange: KeyExchange) -> Payload:
    return KeyExchangePayload(exchange.method, exchange.public_value)
