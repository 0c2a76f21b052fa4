# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_SA_INIT: algorithms, nonces, a key exchange; no side is authenticated yet (RFC 7296, 1.2)."""

import logging
from collections.abc import Sequence

from ike.config import proposals
from ike.engine import authentication, extensions, nat, negotiation
from ike.engine.exchange import Request, SetupContext, Steps, StillWaiting
from ike.engine.key_exchange_state import KeyExchangeState
from ike.engine.states import Trigger
from ike.message.errors import Declined, MalformedMessage, NoProposalChosen, PeerError
from ike.message.header import NO_SPI
from ike.message.message import Message
from ike.message.numbers import ExchangeType, HashAlgorithm, NotifyType, Protocol
from ike.message.payloads import Notify, Payload, SecurityAssociation
from ike.message.substructures import Proposal
from ike.tkm_client import IkeKeys

log = logging.getLogger("ike")

_HASHES = (HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512)
_MOST_RESTARTS = 5
_LONGEST_COOKIE = 64
"""Octets (RFC 7296, 2.6)."""


def initiate(sa: SetupContext) -> Steps:
    """Negotiate keys with a peer.

    Responses are not authenticated, so one that is not acceptable may be forged: then we wait for
    another one (RFC 7296, 2.21.1).
    """
    suites = sa.connection.proposals
    sa.advance(Trigger.INITIATE)
    log.info("initiating IKE_SA %s to %s", sa.name, sa.route.path.remote.host)
    offer = negotiation.offer(suites, Protocol.IKE)
    with KeyExchangeState(sa.context.tkm, proposals.groups(suites[0])[0]) as key_state:
        restart = _Restart(sa, key_state)
        message = yield Request(ExchangeType.IKE_SA_INIT, _request(sa, offer, key_state, restart))
        while True:
            try:
                if not restart.is_wanted(message):
                    _accept(sa, offer, key_state, message)
                    return
                payloads = _request(sa, offer, key_state, restart)
                message = yield Request(ExchangeType.IKE_SA_INIT, payloads, replaces=True)
            except PeerError as error:
                message = yield StillWaiting(error)


def _request(
    sa: SetupContext, offer: SecurityAssociation, key_state: KeyExchangeState, restart: "_Restart"
) -> Sequence[Payload]:
    return (*restart.cookie, offer, *_common(sa, key_state), *extensions.offer(sa))


class _Restart:
    """Requests of the peer to send IKE_SA_INIT again, with a cookie or for another group."""

    def __init__(self, sa: SetupContext, key_state: KeyExchangeState) -> None:
        self._suites = sa.connection.proposals
        self._key_state = key_state
        self._count = 0
        self.cookie: tuple[Notify, ...] = ()

    def is_wanted(self, message: Message) -> bool:
        """Whether a response asks for the request again (RFC 7296, 2.6 and 1.2).

        Raises:
            PeerError: It asks for what it may not have.
        """
        cookie = message.notify(NotifyType.COOKIE)
        other_group = message.notify(NotifyType.INVALID_KE_PAYLOAD)
        if not cookie and not other_group:
            return False
        if cookie and not 1 <= len(cookie.data) <= _LONGEST_COOKIE:
            raise MalformedMessage(f"a cookie of {len(cookie.data)} octets, not 1 to 64")
        self._count += 1
        if self._count > _MOST_RESTARTS:
            raise Declined(NotifyType.COOKIE, "the peer wants IKE_SA_INIT again and again")
        if cookie:
            self.cookie = (Notify(NotifyType.COOKIE, cookie.data),)
        elif other_group:
            self._change_group(int.from_bytes(other_group.data, "big"))
        return True

    def _change_group(self, group: int) -> None:
        current = self._key_state.method
        offered = {g for suite in self._suites for g in proposals.groups(suite)}
        if group not in offered or group == current:
            raise NoProposalChosen(f"the peer wants key exchange {group}, which was not offered")
        log.info("peer didn't accept group %d, it requested %d", current, group)
        self._key_state.change_method(group)


def _accept(
    sa: SetupContext, offer: SecurityAssociation, key_state: KeyExchangeState, message: Message
) -> None:
    """Derive keys from the peer's response."""
    message.raise_error()
    if message.header.spi_r == NO_SPI:
        raise MalformedMessage("IKE_SA_INIT response without a responder's SPI")
    chosen = negotiation.check(offer, message.need(SecurityAssociation), 0)
    _check_additional(chosen, message)
    _take_keys(sa, key_state, chosen, message)
    sa.route.float_to(sa.context.ports)
    extensions.agree(sa, message)
    sa.advance(Trigger.KEYED)


def respond(sa: SetupContext, message: Message) -> Sequence[Payload]:
    """Answer IKE_SA_INIT on a new IKE SA.

    Raises:
        PeerError: The request is not acceptable; the caller closes the IKE SA.
    """
    suites = [suite for connection in sa.candidates() for suite in connection.proposals]
    if not suites:
        raise NoProposalChosen("no connection between {} and {}".format(*sa.route.path))
    if not message.notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED):
        suites = [suite for suite in suites if not proposals.has_additional(suite)]
    chosen = negotiation.choose(suites, message.need(SecurityAssociation), Protocol.IKE, 0)
    with KeyExchangeState(sa.context.tkm, negotiation.group_of(chosen)) as key_state:
        sa.set_remote_spi(message.header.spi_i)
        ours = _common(sa, key_state)
        _take_keys(sa, key_state, chosen, message)
    agreed = extensions.agree(sa, message)
    sa.await_authentication()
    request = authentication.certificate_request(sa)
    return (SecurityAssociation((chosen,)), *ours, *agreed, request)


def _check_additional(chosen: Proposal, message: Message) -> None:
    """Further key exchanges need IKE_INTERMEDIATE (RFC 9370, 2.2.1)."""
    able = message.notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)
    if negotiation.additional_of(chosen) and not able:
        raise NoProposalChosen("the peer has chosen key exchanges that it has no exchange for")


def _common(sa: SetupContext, key_state: KeyExchangeState) -> Sequence[Payload]:
    """Return the payloads that follow the SA payload in requests and responses alike."""
    nonce, key_exchange = key_state.payloads()
    hashes = b"".join(number.to_bytes(2, "big") for number in _HASHES)
    return (
        key_exchange,
        nonce,
        *nat.payloads(sa.spis, sa.route.path, faked=nat.is_faked(sa.candidates())),
        Notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, hashes),
    )


def _take_keys(
    sa: SetupContext, key_state: KeyExchangeState, chosen: Proposal, message: Message
) -> None:
    """Derive keys, and note what else the peer's message contains."""
    spi_remote = message.header.spi_r if sa.is_initiator else message.header.spi_i
    spis = sa.spi_local, spi_remote
    inputs = key_state.complete(chosen, message, initiator=sa.is_initiator, spis=spis)
    keys = IkeKeys.create(sa.peer.create_endpoint(), inputs, proposals.number(chosen.transforms))
    sa.set_remote_spi(spi_remote)
    sa.keyed(keys, chosen.transforms, negotiation.additional_of(chosen))
    log.info("selected proposal: IKE:%s", proposals.spell(chosen.transforms))
    if hashes := message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS):
        pairs = zip(hashes.data[::2], hashes.data[1::2], strict=False)
        sa.note_hash_algorithms([high << 8 | low for high, low in pairs])
    nat.learn(sa.route, message, faked=nat.is_faked(sa.candidates()))
