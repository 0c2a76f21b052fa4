# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_INTERMEDIATE: further key exchanges before IKE_AUTH (RFC 9242; RFC 9370).

Each has an exchange of its own, protected by the keys that exist before it; AUTH covers both
messages, see :class:`~ike.engine.channel.Channel`. Its secret is mixed into the keys afterwards.
"""

from collections.abc import Sequence

from ike.engine import negotiation
from ike.engine.exchange import Request, SetupContext, Steps
from ike.message.errors import MalformedMessage, PeerError
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payloads import KeyExchange as KeyExchangePayload
from ike.message.payloads import Payload
from ike.tkm_client import KeyExchange


def initiate(sa: SetupContext) -> Steps:
    """Do all key exchanges that were negotiated."""
    for method in sa.additional:
        exchange = KeyExchange(sa.context.tkm, method)
        try:
            message = yield Request(ExchangeType.IKE_INTERMEDIATE, (_payload(exchange),))
            message.raise_error()
            exchange.complete(negotiation.public_value(message, method))
            sa.keys.update(exchange)
        finally:
            exchange.free()
        sa.key_exchange_done()


def respond(sa: SetupContext, message: Message) -> Sequence[Payload]:
    """Answer IKE_INTERMEDIATE."""
    if not sa.additional:
        raise MalformedMessage("IKE_INTERMEDIATE, but no key exchange was negotiated for it")
    method = sa.additional[0]
    exchange = KeyExchange(sa.context.tkm, method)
    try:
        exchange.complete(negotiation.public_value(message, method))
        payload = _payload(exchange)
    except PeerError:
        exchange.free()
        raise
    sa.key_exchange_done()
    sa.mix_after_response(exchange)
    return (payload,)


def _payload(exchange: KeyExchange) -> Payload:
    return KeyExchangePayload(exchange.method, exchange.public_value)
