# SPDX-License-Identifier: GPL-2.0-or-later
"""INFORMATIONAL: deleting SAs, and signs of life (RFC 7296, 1.4, 2.4 and 2.25)."""

import logging
from collections.abc import Sequence

from ike.engine.child_sa import ChildSa
from ike.engine.exchange import Exchange, ExchangeContext, Request, Scope, Steps
from ike.engine.states import ChildState, ChildTrigger, State, Trigger
from ike.message.errors import PeerError
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType, Protocol, name
from ike.message.payloads import Delete, Notify, Payload

log = logging.getLogger("ike")


class Liveness(Exchange[ExchangeContext]):
    """Find out whether the peer is alive; without a response its IKE SA is closed."""

    def run(self, sa: ExchangeContext) -> Steps:
        log.info("sending DPD request")
        yield Request(ExchangeType.INFORMATIONAL, ())


class DeleteIkeSa(Exchange[ExchangeContext]):
    """Delete the IKE SA on which this is done.

    Args:
        reason: Why, for the log and for events.
        notify: The type of an error Notify to send along; 0: none.
        for_good: Delete what the peer puts in its place meanwhile, too.
    """

    def __init__(self, reason: str, notify: int = 0, *, for_good: bool = False) -> None:
        self._reason = reason
        self._notify = notify
        self._for_good = for_good

    def run(self, sa: ExchangeContext) -> Steps:
        log.info("deleting IKE_SA %s: %s", sa.name, self._reason)
        sa.advance(Trigger.DELETE)
        notifies = [Notify(self._notify)] if self._notify else []
        yield Request(ExchangeType.INFORMATIONAL, (*notifies, Delete(Protocol.IKE)))
        sa.close(self._reason, wanted=True)

    def failed(self, sa: ExchangeContext, error: PeerError) -> None:
        sa.close(self._reason, wanted=True)

    def again(self) -> Exchange[ExchangeContext] | None:
        return DeleteIkeSa(self._reason, for_good=True) if self._for_good else None


def delete_ike_sa(sa: ExchangeContext, reason: str, *, for_good: bool = False) -> None:
    """Delete an IKE SA: by an exchange, or at once as long as the peer is not authenticated.

    Args:
        sa: The IKE SA; deleting it again is not an error.
        reason: Why, for the log and for events.
        for_good: Delete what the peer puts in its place meanwhile, too.
    """
    if sa.state in (State.CONNECTING, State.HALF_OPEN):
        sa.close(reason, wanted=True)
    elif sa.state not in (State.DELETING, State.GONE):
        sa.drop_waiting(reason)
        sa.enqueue(DeleteIkeSa(reason, for_good=for_good))


class DeleteChildSa(Exchange[ExchangeContext]):
    """Delete a Child SA.

    Args:
        child: The Child SA.
        reason: Why, for the log and for events.
        is_repeated: The peer was asked before, on an IKE SA that is closed.
    """

    scope = Scope.CHILD_SA

    def __init__(self, child: ChildSa, reason: str, *, is_repeated: bool = False) -> None:
        self._child = child
        self._reason = reason
        self._is_repeated = is_repeated

    def is_wanted(self, sa: ExchangeContext) -> bool:
        if self._is_repeated:
            return self._child.state is ChildState.DELETING
        return self._child.state not in (ChildState.DELETING, ChildState.GONE)

    def run(self, sa: ExchangeContext) -> Steps:
        if not self._is_repeated:
            self._child.advance(ChildTrigger.DELETE)
            self._is_repeated = True
        delete = Delete(Protocol.ESP, (self._child.spi_local,))
        yield Request(ExchangeType.INFORMATIONAL, (delete,))
        sa.remove_child(self._child, self._reason)

    def failed(self, sa: ExchangeContext, error: PeerError) -> None:
        super().failed(sa, error)
        sa.remove_child(self._child, self._reason)

    def again(self) -> Exchange[ExchangeContext]:
        return DeleteChildSa(self._child, self._reason, is_repeated=self._is_repeated)


class DeleteSpi(Exchange[ExchangeContext]):
    """Delete a Child SA that only the peer has: we cannot use its response (RFC 7296, 2.21.2).

    Args:
        spi: Our inbound SPI of it.
    """

    scope = Scope.CHILD_SA

    def __init__(self, spi: bytes) -> None:
        self._spi = spi

    def run(self, sa: ExchangeContext) -> Steps:
        yield Request(ExchangeType.INFORMATIONAL, (Delete(Protocol.ESP, (self._spi,)),))

    def again(self) -> Exchange[ExchangeContext]:
        return DeleteSpi(self._spi)


def respond(sa: ExchangeContext, message: Message) -> Sequence[Payload]:
    """Answer INFORMATIONAL: what is deleted there is deleted here, and named in return."""
    for notify in message.all(Notify):
        log.info("%s: received %s", sa.name, name(NotifyType, notify.kind))
        if notify.kind == NotifyType.AUTHENTICATION_FAILED:
            sa.close_after_response("the peer says that authentication failed")
    spis: list[bytes] = []
    for delete in message.all(Delete):
        if delete.protocol == Protocol.IKE:
            sa.close_after_response("the peer deletes it")
            return ()
        if delete.protocol == Protocol.ESP:
            spis += _delete_children(sa, delete.spis)
    return (Delete(Protocol.ESP, tuple(spis)),) if spis else ()


def _delete_children(sa: ExchangeContext, spis: Sequence[bytes]) -> list[bytes]:
    """Our SPIs of the Child SAs that the peer deletes, but for those we are deleting (2.25.1)."""
    deleted = []
    for spi in spis:
        child = sa.peer.by_remote_spi(spi)
        if child is None:
            log.info("%s: no child SA with SPI %s to delete", sa.name, spi.hex())
            sa.note_early_delete(spi)
            continue
        if child.state is not ChildState.DELETING:
            deleted.append(child.spi_local)
        sa.remove_child(child, "the peer deletes it")
    return deleted
