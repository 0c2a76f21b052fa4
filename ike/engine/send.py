# SPDX-License-Identifier: GPL-2.0-or-later
"""What we send: the requests of our exchanges, and responses to the peer's.

An exchange is a generator (:mod:`ike.engine.exchange`). It is started here when its turn has come,
and resumed here with the response that :mod:`ike.engine.receive` has found to be the peer's.
"""

import logging
from collections.abc import Callable, Sequence

from ike.engine.context import Arrival
from ike.engine.exchange import Exchange, IkeSaContext, Request, StillWaiting
from ike.engine.exchange_queue import Outstanding
from ike.engine.ike_sa import IkeSa
from ike.engine.informational import delete_ike_sa
from ike.engine.states import State
from ike.message.errors import MalformedMessage, PeerError, TrustedRefusal
from ike.message.message import Message
from ike.message.payloads import Payload

log = logging.getLogger("ike")

Output = Request | StillWaiting


def start_waiting(sa: IkeSa) -> None:
    """Start the next exchange of an IKE SA that is due, if none is out."""
    while sa.state is not State.GONE and (exchange := sa.queue.next_due(sa.context.now)):
        if not exchange.is_wanted(sa):
            exchange.drop(sa, "the IKE SA has changed meanwhile")
            continue
        outstanding = Outstanding(exchange, exchange.run(sa))
        sa.queue.started(outstanding)
        _advance(sa, outstanding, outstanding.steps.__next__)


def resume(sa: IkeSa, outstanding: Outstanding, message: Message) -> None:
    """Continue an exchange with the response to its request."""
    _advance(sa, outstanding, lambda: outstanding.steps.send(message))


def resume_with_error(sa: IkeSa, outstanding: Outstanding, error: PeerError) -> None:
    """Continue an exchange whose response is the peer's, but breaks the format."""
    _advance(sa, outstanding, lambda: outstanding.steps.throw(error))


def _advance(sa: IkeSa, outstanding: Outstanding, step: Callable[[], Output]) -> None:
    """Run an exchange up to its next request, and send that; or up to its end."""
    failure: PeerError | None = None
    try:
        output: Output | None = step()
        while output:
            output = _carry_out(sa, outstanding, output)
        return
    except StopIteration:
        pass
    except PeerError as error:
        failure = error
    if sa.state is State.GONE:
        return
    sa.channel.requests.answered()
    sa.exchange_finished()
    if failure:
        _failed(sa, outstanding.exchange, failure)


def _carry_out(sa: IkeSa, outstanding: Outstanding, output: Output) -> Output | None:
    """Do what an exchange has yielded.

    Returns:
        What it yields next, if it continues after the TKM's refusal to protect the request.
    """
    if sa.state is State.GONE:
        outstanding.stop()
        return None
    if isinstance(output, StillWaiting):
        log.info("%s: %s", sa.name, output.error)
        sa.queue.doubt(output.error)
        sa.channel.requests.last_try()
        return None
    if not output.replaces:
        sa.channel.requests.answered()
    try:
        sa.channel.request(output.kind, output.payloads)
    except PeerError as error:
        return outstanding.steps.throw(error)
    sa.queue.sent(output.kind)
    return None


def _failed(sa: IkeSa, exchange: Exchange[IkeSaContext], error: PeerError) -> None:
    """Handle the failure of an exchange; a malformed response is fatal (RFC 7296, 2.21.3)."""
    exchange.failed(sa, error)
    if isinstance(error, MalformedMessage):
        delete_ike_sa(sa, str(error))


def respond(sa: IkeSa, to: Arrival, payloads: Sequence[Payload]) -> None:
    """Send the response to a request, then do what was to be done after it."""
    try:
        sa.channel.respond(to, payloads)
    except TrustedRefusal as error:
        sa.response_refused(error)
    else:
        sa.response_sent()
    if sa.close_reason is not None:
        sa.close(sa.close_reason, wanted=sa.state is not State.HALF_OPEN)
