# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_AUTH: both sides prove who they are, and set up the first Child SA (RFC 7296, 1.2)."""

import logging
from collections.abc import Sequence

from ike.config.model import ChildConfig, Connection
from ike.config.proposals import without_key_exchange
from ike.engine import authentication, share, uniqueness
from ike.engine.child_negotiation import ChildAnswer, ChildOffer, find
from ike.engine.child_sa import ChildSa
from ike.engine.create_child_sa import report_failure, send_through
from ike.engine.exchange import Request, SetupContext, Steps
from ike.engine.informational import DeleteIkeSa, DeleteSpi
from ike.engine.states import Trigger
from ike.identity import Identity
from ike.message.errors import AuthenticationFailed, MalformedMessage, PeerError, TrustedRefusal
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payloads import (
    Authentication,
    IdInitiator,
    IdResponder,
    Notify,
    Payload,
    SecurityAssociation,
)
from ike.tkm_client import ChildKeys

log = logging.getLogger("ike")


def initiate(sa: SetupContext, config: ChildConfig) -> Steps:
    """Authenticate, and set up the first Child SA.

    Args:
        sa: The IKE SA, whose keys were derived.
        config: The Child SA.
    """
    try:
        suites = [without_key_exchange(suite) for suite in config.proposals]
        offer = ChildOffer(sa, config, suites)
        log.info("establishing CHILD_SA %s", config.name)
        message = yield Request(ExchangeType.IKE_AUTH, _request(sa, offer))
        _authenticate(sa, message)
        _take_first_child(sa, offer, message)
    except PeerError as error:
        log.info("authentication with %s failed: %s", sa.connection.remote_id, error)
        if not isinstance(error, AuthenticationFailed | TrustedRefusal):
            raise
        # The peer may believe that we are authenticated to each other (RFC 7296, 2.21.2).
        report_failure(sa, config, error)
        sa.drop_waiting(str(error))
        sa.enqueue(DeleteIkeSa(str(error), NotifyType.AUTHENTICATION_FAILED))


def _request(sa: SetupContext, offer: ChildOffer) -> Sequence[Payload]:
    local, remote = sa.connection.local_id, sa.connection.remote_id
    return (
        IdInitiator(local.kind, local.data),
        *authentication.certificates(sa),
        *_initial_contact(sa),
        authentication.certificate_request(sa),
        IdResponder(remote.kind, remote.data),
        authentication.sign(sa),
        offer.security_association(),
        *offer.payloads(),
    )


def _authenticate(sa: SetupContext, message: Message) -> None:
    """Have the TKM verify that the peer is who it has to be."""
    if not message.find(Authentication):
        message.raise_error()
    identity = Identity.of(message.need(IdResponder))
    if not identity.matches(sa.connection.remote_id):
        raise AuthenticationFailed(f"the peer is {identity}, not {sa.connection.remote_id}")
    authentication.verify(sa, message, sa.peer.remote_id)
    sa.advance(Trigger.AUTHENTICATED)
    share.make_room(sa)
    sa.establish()


def _take_first_child(sa: SetupContext, offer: ChildOffer, message: Message) -> None:
    """Install the first Child SA; the IKE SA stays without one, too."""
    try:
        message.raise_error()
        agreement, _ = offer.accept(message)
        keys = ChildKeys.first(sa.keys, offer.config.reqid, agreement.spis, agreement.esp_options)
        child = sa.install_child(agreement, keys)
    except PeerError as error:
        sa.keys.skip_first_child()
        report_failure(sa, offer.config, error)
        if message.find(SecurityAssociation):
            sa.enqueue(DeleteSpi(offer.spi))
        if sa.is_reauthentication:
            sa.enqueue(DeleteIkeSa("the old one stays, with its CHILD_SA"))
        return
    send_through(sa, child)
    if sa.is_reauthentication:
        uniqueness.replace_older(sa)
    uniqueness.settle(sa)


def respond(sa: SetupContext, message: Message) -> Sequence[Payload]:
    """Answer IKE_AUTH: sign, have the TKM verify the peer, set up the Child SA."""
    if sa.additional:
        raise MalformedMessage("IKE_AUTH before all key exchanges are done")
    connection = _connection(sa, message)
    sa.peer.identify(connection)
    auth = authentication.sign(sa)
    sa.peer.expect_identity(_remote_id(sa, message))
    authentication.verify(sa, message, sa.peer.remote_id)
    sa.advance(Trigger.AUTHENTICATED)
    sa.peer.note_first_contact(message.notify(NotifyType.INITIAL_CONTACT) is not None)
    if sa.peer.first_contact:
        uniqueness.close_older(sa)
    share.make_room(sa)
    sa.establish()
    first_child = _first_child(sa, message)
    uniqueness.settle(sa)
    return (
        IdResponder(connection.local_id.kind, connection.local_id.data),
        *authentication.certificates(sa),
        auth,
        *first_child,
    )


def _connection(sa: SetupContext, message: Message) -> Connection:
    """The connection that the peer means: by its identity, the one it asks for, and the traffic."""
    remote = Identity.of(message.need(IdInitiator))
    asked = message.find(IdResponder)
    meant = [
        connection
        for connection in sa.candidates()
        if connection.remote_id.matches(remote)
        and (asked is None or connection.local_id.matches(Identity.of(asked)))
    ]
    if not meant:
        raise AuthenticationFailed(f"no connection with {remote}")
    try:
        config, *_ = find(sa, message, [child for one in meant for child in one.children])
    except PeerError:
        return meant[0]
    return next(one for one in meant if any(child is config for child in one.children))


def _remote_id(sa: SetupContext, message: Message) -> int:
    """The TKM's number of the identity that the peer must have: that of the policy it asks for."""
    children = sa.connection.children
    try:
        return find(sa, message, children)[0].reqid
    except PeerError:
        return children[0].reqid


def _first_child(sa: SetupContext, message: Message) -> Sequence[Payload]:
    """Return the part of the response about the Child SA; the IKE SA stays without one, too."""
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
    _take_turns(sa, sa.install_child(agreement, keys))
    return (answer.security_association(), *answer.payloads())


def _take_turns(sa: SetupContext, child: ChildSa) -> None:
    """Send through the Child SA: at once, unless the peer reauthenticates (RFC 7296, 2.8.3)."""
    older = [
        each
        for other in sa.others()
        for each in other.peer.children.values()
        if each.config.reqid == child.config.reqid
    ]
    if older:
        sa.context.handovers.begin(older, child)
    else:
        send_through(sa, child)


def _initial_contact(sa: SetupContext) -> Sequence[Payload]:
    """Return INITIAL_CONTACT if the peer has no other IKE SA in this family (RFC 7296, 2.4)."""
    sa.peer.note_first_contact(not sa.others())
    return (Notify(NotifyType.INITIAL_CONTACT),) if sa.peer.first_contact else ()
