# SPDX-License-Identifier: GPL-2.0-or-later
"""INFORMATIONAL: deleting SAs, and signs of life (RFC 7296, 1.4, 2.4 and 2.25)."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ike.engine.child_sa import ChildSa
from ike.engine.exchange import Exchange, Scope
from ike.engine.states import ChildState, ChildTrigger, Trigger
from ike.errors import PeerError
from ike.message.delete import Delete
from ike.message.message import Message
from ike.message.notify import Notify
from ike.message.numbers import ExchangeType, NotifyType, Protocol, name
from ike.message.payload import Payload

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


class Liveness(Exchange):
    """Is the peer still there? It is, or its IKE SA is closed for want of an answer."""

    kind = ExchangeType.INFORMATIONAL

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        log.info("sending DPD request")
        return ()

    def response(self, sa: "IkeSa", message: Message) -> None:
        return None


class DeleteIkeSa(Exchange):
    """Delete the IKE SA that this is done on.

    :param notify: an error to be told along with it; 0: none.
    :param for_good: and what the peer has put in its place meanwhile.
    """

    kind = ExchangeType.INFORMATIONAL

    def __init__(self, reason: str, notify: int = 0, *, for_good: bool = False) -> None:
        self._reason = reason
        self._notify = notify
        self._for_good = for_good

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        log.info("deleting IKE_SA %s: %s", sa.name, self._reason)
        sa.advance(Trigger.DELETE)
        sa.lifetime.end()
        notifies = [Notify(self._notify)] if self._notify else []
        return (*notifies, Delete(Protocol.IKE))

    def response(self, sa: "IkeSa", message: Message) -> None:
        sa.close(self._reason, wanted=True)

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        sa.close(self._reason, wanted=True)

    def again(self) -> Exchange | None:
        return DeleteIkeSa(self._reason, for_good=True) if self._for_good else None


class DeleteChildSa(Exchange):
    """Delete a Child SA.

    :param begun: the peer has been asked once already, on an IKE SA that is no more.
    """

    kind = ExchangeType.INFORMATIONAL
    scope = Scope.CHILD_SA

    def __init__(self, child: ChildSa, reason: str, *, begun: bool = False) -> None:
        self._child = child
        self._reason = reason
        self._begun = begun

    def is_wanted(self, sa: "IkeSa") -> bool:
        if self._begun:
            return self._child.state is ChildState.DELETING
        return self._child.state not in (ChildState.DELETING, ChildState.GONE)

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        if not self._begun:
            self._child.advance(ChildTrigger.DELETE)
            self._begun = True
        return (Delete(Protocol.ESP, (self._child.spi_local,)),)

    def response(self, sa: "IkeSa", message: Message) -> None:
        sa.peer.remove(sa, self._child, self._reason)

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        sa.peer.remove(sa, self._child, self._reason)
        super().failed(sa, error)

    def again(self) -> Exchange:
        return DeleteChildSa(self._child, self._reason, begun=self._begun)


class DeleteSpi(Exchange):
    """Delete a Child SA that only the peer has, because its answer was no good to us (2.21.2)."""

    kind = ExchangeType.INFORMATIONAL
    scope = Scope.CHILD_SA

    def __init__(self, spi: bytes) -> None:
        self._spi = spi

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        return (Delete(Protocol.ESP, (self._spi,)),)

    def response(self, sa: "IkeSa", message: Message) -> None:
        return None

    def again(self) -> Exchange:
        return DeleteSpi(self._spi)


def respond(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """Answer INFORMATIONAL: what is deleted there is deleted here, and named in return."""
    for notify in message.all(Notify):
        log.info("%s: received %s", sa.name, name(NotifyType, notify.kind))
        if notify.kind == NotifyType.AUTHENTICATION_FAILED:
            sa.close_reason = "the peer says that authentication failed"
    spis: list[bytes] = []
    for delete in message.all(Delete):
        if delete.protocol == Protocol.IKE:
            sa.close_reason = "the peer deletes it"
            return ()
        if delete.protocol == Protocol.ESP:
            spis += _delete_children(sa, delete.spis)
    return (Delete(Protocol.ESP, tuple(spis)),) if spis else ()


def _delete_children(sa: "IkeSa", spis: Sequence[bytes]) -> list[bytes]:
    """Our SPIs of the Child SAs that the peer deletes, but for those we are deleting (2.25.1)."""
    deleted = []
    for spi in spis:
        child = sa.peer.by_remote_spi(spi)
        if child is None:
            log.info("%s: no child SA with SPI %s to delete", sa.name, spi.hex())
            sa.deleted_early.add(spi)
            continue
        if child.state is not ChildState.DELETING:
            deleted.append(child.spi_local)
        sa.peer.remove(sa, child, "the peer deletes it")
    return deleted
