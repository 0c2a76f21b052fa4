# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to a packet: UDP payload -> IKE header -> IKE SA -> request or response.

Requests and responses take the same steps: is it expected in this state, is it the peer's, what
does it change. Nothing changes before the TKM has verified that a message is the peer's.
"""

import logging
from collections.abc import Callable, Sequence

from ike.address import Path
from ike.engine import roaming, send
from ike.engine.context import Arrival, EngineContext
from ike.engine.dispatch import rule_of
from ike.engine.ike_sa import IkeSa
from ike.engine.ike_sa_init_responder import InitResponder
from ike.engine.registry import Registry
from ike.engine.route import KEEPALIVE
from ike.engine.states import State
from ike.message.errors import InvalidMajorVersion, MalformedMessage, PeerError, Unauthenticated
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType, name
from ike.message.payloads import Notify, Payload

log = logging.getLogger("ike")

Serve = Callable[[IkeSa, Callable[[], None]], None]
"""Does something for an IKE SA; if that raises what it must not, it is known for which."""


class Receiver:
    """Receives datagrams for all IKE SAs of an engine.

    Args:
        context: What the IKE SAs share.
        registry: The IKE SAs.
        serve: Runs what is done for one IKE SA.
    """

    def __init__(self, context: EngineContext, registry: Registry[IkeSa], serve: Serve) -> None:
        self._context = context
        self._registry = registry
        self._serve = serve
        self._init_responder = InitResponder(context, registry)

    def receive(self, octets: bytes, path: Path) -> None:
        """Handle a UDP payload, whatever is in it.

        Args:
            octets: The UDP payload.
            path: The local and remote addresses and ports.
        """
        message = self._context.ports.unwrap(octets, path.local)
        if message is not None:
            self._receive_message(message, path)
        elif octets != KEEPALIVE:
            log.info("received from %s: ESP that the kernel does not take, dropped", path.remote)

    def _receive_message(self, octets: bytes, path: Path) -> None:
        try:
            header, first = Header.decode(octets)
        except InvalidMajorVersion as error:
            log.info("received from %s: %s", path.remote, error)
            self._init_responder.refuse_version(octets, path, error)
            return
        except PeerError as error:
            log.info("received from %s: %s, dropped", path.remote, error)
            return
        # The initiator flag tells which of the two SPIs is the receiver's (RFC 7296, 3.1).
        spi = header.spi_r if header.initiator else header.spi_i
        arrival = Arrival(header, first, octets, path)
        sa = self._registry.get(spi) or self._init_responder.find(arrival)
        if sa:
            self._serve(sa, lambda: receive(sa, arrival))
        elif not self._init_responder.receive(arrival):
            log.info("no IKE SA with SPI %s, message from %s dropped", spi.hex(), path.remote)


def receive(sa: IkeSa, arrival: Arrival) -> None:
    """Handle a message that names an IKE SA."""
    sa.touch()
    if arrival.header.response:
        _response(sa, arrival)
    elif not sa.channel.respond_again(arrival):
        _request(sa, arrival)


def _open(sa: IkeSa, arrival: Arrival) -> Message | None:
    """Return the message of a datagram, once all of it has arrived and it is the peer's.

    Raises:
        Unauthenticated: It is not the peer's.
        PeerError: It is the peer's, but breaks the format.
    """
    message = sa.channel.open(arrival)
    if message is not None:
        sa.heard()
        roaming.follow(sa, arrival.path)
    return message


def _response(sa: IkeSa, arrival: Arrival) -> None:
    """Resume the exchange that a response answers."""
    header, outstanding = arrival.header, sa.queue.current
    awaited = sa.channel.requests.awaits(header.message_id) and header.exchange == sa.queue.kind
    if outstanding is None or not awaited:
        log.info("%s: response %d is not awaited, dropped", sa.name, header.message_id)
        return
    try:
        message = _open(sa, arrival)
    except Unauthenticated as error:
        log.info("%s: response %d dropped: %s", sa.name, header.message_id, error)
    except PeerError as error:
        send.resume_with_error(sa, outstanding, error)
    else:
        if message is not None:
            send.resume(sa, outstanding, message)


def _request(sa: IkeSa, arrival: Arrival) -> None:
    """Answer a request of the peer."""
    header, rule = arrival.header, rule_of(arrival.header.exchange)
    expected = header.message_id == sa.channel.responses.expected
    if rule is None or not expected or sa.state not in rule.states:
        exchange = name(ExchangeType, header.exchange)
        log.info("%s: %s request %d dropped", sa.name, exchange, header.message_id)
        return
    try:
        message = _open(sa, arrival)
        if message is None:
            return
        payloads = rule.respond(sa, message)
    except Unauthenticated as error:
        log.info("%s: request %d dropped: %s", sa.name, header.message_id, error)
        return
    except PeerError as error:
        payloads = _refusal(sa, error)
    send.respond(sa, arrival, payloads)


def _refusal(sa: IkeSa, error: PeerError) -> Sequence[Payload]:
    """Return the error response to a request; some errors are fatal (RFC 7296, 2.21.2, 2.21.3)."""
    log.info("%s: %s, sending %s", sa.name, error, name(NotifyType, error.notify))
    if sa.state is State.HALF_OPEN or isinstance(error, MalformedMessage):
        sa.close_after_response(str(error))
    return (Notify(error.notify, error.data),)
