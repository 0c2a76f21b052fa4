# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_AUTH: both sides prove who they are, and set up the first Child SA (RFC 7296, 1.2)."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ike.config.model import ChildConfig, Connection
from ike.config.proposals import without_key_exchange
from ike.engine import authentication, uniqueness
from ike.engine.child_negotiation import ChildAnswer, ChildOffer, find, install
from ike.engine.create_child_sa import fail_child
from ike.engine.exchange import Exchange
from ike.engine.informational import DeleteIkeSa, DeleteSpi
from ike.engine.states import Trigger
from ike.errors import AuthenticationFailed, MalformedMessage, PeerError, TrustedRefusal
from ike.identity import Identity
from ike.message.auth import Authentication
from ike.message.identification import IdInitiator, IdResponder
from ike.message.message import Message
from ike.message.notify import Notify
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payload import Payload
from ike.message.sa import SecurityAssociation
from ike.tkm_client import ChildKeys

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


class IkeAuth(Exchange):
    """Authenticate, and set up a first Child SA."""

    kind = ExchangeType.IKE_AUTH

    def __init__(self, child: ChildConfig) -> None:
        self._config = child
        self.creates = child
        self._offer: ChildOffer | None = None

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        suites = [without_key_exchange(suite) for suite in self._config.proposals]
        self._offer = ChildOffer(sa, self._config, suites)
        local, remote = sa.connection.local_id, sa.connection.remote_id
        log.info("establishing CHILD_SA %s", self._config.name)
        return (
            IdInitiator(local.kind, local.data),
            *authentication.certificates(sa),
            *_initial_contact(sa),
            authentication.certificate_request(sa),
            IdResponder(remote.kind, remote.data),
            authentication.prove(sa),
            self._offer.security_association(),
            *self._offer.payloads(),
        )

    def response(self, sa: "IkeSa", message: Message) -> None:
        if not message.find(Authentication):
            message.raise_error()
        identity = Identity.of(message.need(IdResponder))
        if identity != sa.connection.remote_id:
            raise AuthenticationFailed(f"the peer is {identity}, not {sa.connection.remote_id}")
        authentication.verify(sa, message, sa.peer.remote_id)
        sa.advance(Trigger.AUTHENTICATED)
        sa.established()
        try:
            self._take_child(sa, message)
        except PeerError as error:
            sa.keys.skip_first_child()
            fail_child(sa, self._config, error)
            if self._offer and message.find(SecurityAssociation):
                sa.queue.put(DeleteSpi(self._offer.spi))
            if sa.reauthentication:
                sa.queue.put(DeleteIkeSa("the old one stays, with its CHILD_SA"))
            return
        if sa.reauthentication:
            sa.reauthentication.succeeded(sa)
        uniqueness.settle(sa)

    def _take_child(self, sa: "IkeSa", message: Message) -> None:
        message.raise_error()
        if self._offer is None:
            raise LookupError("IKE_AUTH has not begun")
        agreement, _ = self._offer.accept(message)
        keys = ChildKeys.first(sa.keys, self._config.reqid, agreement.spis, agreement.esp_options)
        install(sa, agreement, keys).select()

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        """The peer is not who it should be, or takes us for somebody else (2.21.2)."""
        log.info("authentication with %s failed: %s", sa.connection.remote_id, error)
        fail_child(sa, self._config, error)
        if isinstance(error, AuthenticationFailed | TrustedRefusal) and sa.channel.keys:
            sa.queue.drop_waiting(str(error))
            sa.queue.put(DeleteIkeSa(str(error), NotifyType.AUTHENTICATION_FAILED))
        else:
            sa.close(str(error), wanted=False)


def respond(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """Answer IKE_AUTH: sign, then have the peer judged, then set up the Child SA."""
    if sa.additional:
        raise MalformedMessage("IKE_AUTH before all key exchanges are done")
    connection = _connection(sa, message)
    sa.peer.connection = connection
    auth = authentication.prove(sa)
    sa.peer.remote_id = _remote_id(sa, message)
    authentication.verify(sa, message, sa.peer.remote_id)
    sa.advance(Trigger.AUTHENTICATED)
    sa.peer.first_contact = message.notify(NotifyType.INITIAL_CONTACT) is not None
    if sa.peer.first_contact:
        uniqueness.close_older(sa)
    sa.established()
    first_child = _first_child(sa, message)
    uniqueness.settle(sa)
    return (
        IdResponder(connection.local_id.kind, connection.local_id.data),
        *authentication.certificates(sa),
        auth,
        *first_child,
    )


def _connection(sa: "IkeSa", message: Message) -> Connection:
    """The connection that the peer means: by its identity, the one it asks for, and the traffic."""
    remote = Identity.of(message.need(IdInitiator))
    asked = message.find(IdResponder)
    meant = [
        connection
        for connection in sa.candidates()
        if connection.remote_id == remote
        and (asked is None or Identity.of(asked) == connection.local_id)
    ]
    if not meant:
        raise AuthenticationFailed(f"no connection with {remote}")
    return next((one for one in meant if _has_child(sa, message, one)), meant[0])


def _has_child(sa: "IkeSa", message: Message, connection: Connection) -> bool:
    try:
        find(sa, message, connection.children)
    except PeerError:
        return False
    return True


def _remote_id(sa: "IkeSa", message: Message) -> int:
    """The TKM's number of the identity that the peer must have: that of the policy it asks for."""
    children = sa.connection.children
    try:
        return find(sa, message, children)[0].reqid
    except PeerError:
        return children[0].reqid


def _first_child(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """The part of the response that is about the Child SA; the IKE SA stands without one, too."""
    if not message.find(SecurityAssociation):
        sa.keys.skip_first_child()
        return ()
    try:
        answer = ChildAnswer(sa, message, sa.peer.possible_children(), without_key_exchange)
        agreement = answer.agreement
        keys = ChildKeys.first(
            sa.keys, agreement.config.reqid, agreement.spis, agreement.esp_options
        )
    except PeerError as error:
        log.info("%s: no child SA: %s", sa.name, error)
        sa.keys.skip_first_child()
        return (Notify(error.notify, error.data),)
    install(sa, agreement, keys).select()
    return (answer.security_association(), *answer.payloads())


def _initial_contact(sa: "IkeSa") -> Sequence[Payload]:
    """Said when there is no other IKE SA with this peer (2.4)."""
    sa.peer.first_contact = not any(uniqueness.others(sa))
    return (Notify(NotifyType.INITIAL_CONTACT),) if sa.peer.first_contact else ()
