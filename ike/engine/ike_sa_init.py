# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_SA_INIT: algorithms, nonces, a key exchange; nobody is authenticated yet (RFC 7296, 1.2)."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ike.config import proposals
from ike.config.model import ChildConfig
from ike.engine import authentication, extensions, ike_intermediate, nat, negotiation
from ike.engine.exchange import Exchange
from ike.engine.key_exchange_state import KeyExchangeState
from ike.engine.states import Trigger
from ike.errors import Declined, MalformedMessage, NoProposalChosen, PeerError
from ike.message.header import NO_SPI
from ike.message.message import Message
from ike.message.notify import Notify
from ike.message.numbers import ExchangeType, HashAlgorithm, NotifyType, Protocol
from ike.message.payload import Payload
from ike.message.sa import Proposal, SecurityAssociation
from ike.tkm_client import AuthenticatedEndpoint, IkeKeys

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")

_HASHES = (HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512)
_MOST_RESTARTS = 5


class IkeSaInit(Exchange):
    """Begin an IKE SA.

    :param child: the Child SA to set up in IKE_AUTH.
    """

    kind = ExchangeType.IKE_SA_INIT

    def __init__(self, child: ChildConfig) -> None:
        self._child = child
        self.creates = child
        self._key_state: KeyExchangeState | None = None
        self._cookie: Notify | None = None
        self._offer = SecurityAssociation(())
        self._restarts = 0

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        suites = sa.connection.proposals
        sa.advance(Trigger.INITIATE)
        log.info("initiating IKE_SA %s to %s", sa.name, sa.channel.remote.host)
        self._offer = negotiation.offer(suites, Protocol.IKE)
        self._key_state = KeyExchangeState(sa.context.tkm, proposals.groups(suites[0])[0])
        return self._payloads(sa, self._key_state)

    def _payloads(self, sa: "IkeSa", key_state: KeyExchangeState) -> Sequence[Payload]:
        cookie = [self._cookie] if self._cookie else []
        return (*cookie, self._offer, *_both(sa, key_state), *extensions.offer(sa))

    def response(self, sa: "IkeSa", message: Message) -> Sequence[Payload] | None:
        if self._key_state is None:
            raise LookupError("IKE_SA_INIT has not begun")
        if self._is_to_restart(sa, message, self._key_state):
            return self._payloads(sa, self._key_state)
        message.raise_error()
        if message.header.spi_r == NO_SPI:
            raise MalformedMessage("IKE_SA_INIT response without a responder's SPI")
        chosen = negotiation.check(self._offer, message.need(SecurityAssociation), 0)
        _check_additional(chosen, message)
        _take_keys(sa, self._key_state, chosen, message)
        sa.channel.route.float_to(sa.context.ports)
        extensions.agree(sa, message)
        sa.advance(Trigger.KEYED)
        sa.queue.put_first(ike_intermediate.proceed(sa, self._child))
        return None

    def _is_to_restart(self, sa: "IkeSa", message: Message, key_state: KeyExchangeState) -> bool:
        """The peer wants the request once more, with a cookie or another group (2.6, 1.2)."""
        cookie = message.notify(NotifyType.COOKIE)
        other_group = message.notify(NotifyType.INVALID_KE_PAYLOAD)
        if not cookie and not other_group:
            return False
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS:
            raise Declined(NotifyType.COOKIE, "the peer wants IKE_SA_INIT again and again")
        if cookie:
            self._cookie = Notify(NotifyType.COOKIE, cookie.data)
        elif other_group:
            self._change_group(sa, int.from_bytes(other_group.data, "big"), key_state)
        return True

    @staticmethod
    def _change_group(sa: "IkeSa", group: int, key_state: KeyExchangeState) -> None:
        offered = {g for suite in sa.connection.proposals for g in proposals.groups(suite)}
        if group not in offered or group == key_state.method:
            raise NoProposalChosen(f"the peer wants key exchange {group}, which was not offered")
        log.info("peer didn't accept group %d, it requested %d", key_state.method, group)
        key_state.change_method(group)

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        self.drop(sa, str(error))
        sa.close(str(error), wanted=False)

    def abandon(self) -> None:
        if self._key_state:
            self._key_state.free()


def respond(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """Answer IKE_SA_INIT on a new IKE SA.

    :raises PeerError: nothing comes of it; whoever made the IKE SA closes it.
    """
    suites = [suite for connection in sa.candidates() for suite in connection.proposals]
    if not suites:
        ends = f"{sa.channel.local} and {sa.channel.remote}"
        raise NoProposalChosen(f"no connection between {ends}")
    if not message.notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED):
        suites = [suite for suite in suites if not proposals.has_additional(suite)]
    chosen = negotiation.choose(suites, message.need(SecurityAssociation), Protocol.IKE, 0)
    with KeyExchangeState(sa.context.tkm, negotiation.group_of(chosen)) as key_state:
        sa.channel.spi_remote = message.header.spi_i
        ours = _both(sa, key_state)
        _take_keys(sa, key_state, chosen, message)
    agreed = extensions.agree(sa, message)
    sa.advance(Trigger.ANSWER)
    sa.deadline = sa.context.now + sa.context.settings.half_open
    request = authentication.certificate_request(sa)
    return (SecurityAssociation((chosen,)), *ours, *agreed, request)


def _check_additional(chosen: Proposal, message: Message) -> None:
    """Further key exchanges need IKE_INTERMEDIATE (RFC 9370, 2.2.1)."""
    able = message.notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)
    if negotiation.additional_of(chosen) and not able:
        raise NoProposalChosen("the peer has chosen key exchanges that it has no exchange for")


def _both(sa: "IkeSa", key_state: KeyExchangeState) -> Sequence[Payload]:
    """What both messages have behind the SA payload."""
    channel = sa.channel
    nonce, key_exchange = key_state.payloads()
    hashes = b"".join(number.to_bytes(2, "big") for number in _HASHES)
    return (
        key_exchange,
        nonce,
        *nat.payloads(channel.spis, channel.route.path, faked=nat.is_faked(sa)),
        Notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, hashes),
    )


def _take_keys(
    sa: "IkeSa", key_state: KeyExchangeState, chosen: Proposal, message: Message
) -> None:
    """The peer's half is there: derive the keys."""
    channel = sa.channel
    spi_remote = message.header.spi_r if channel.initiator else message.header.spi_i
    spis = channel.spi_local, spi_remote
    key_inputs = key_state.complete(chosen, message, initiator=channel.initiator, spis=spis)
    if sa.peer.endpoint is None:
        sa.peer.endpoint = AuthenticatedEndpoint(sa.context.tkm)
    channel.keys = IkeKeys.create(sa.peer.endpoint, key_inputs)
    channel.spi_remote = spi_remote
    sa.additional = negotiation.additional_of(chosen)
    sa.transforms = chosen.transforms
    log.info("selected proposal: IKE:%s", proposals.spell(chosen.transforms))
    _learn(sa, message)


def _learn(sa: "IkeSa", message: Message) -> None:
    """What else the peer's message says."""
    if hashes := message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS):
        pairs = zip(hashes.data[::2], hashes.data[1::2], strict=False)
        sa.hash_algorithms = tuple(high << 8 | low for high, low in pairs)
    nat.learn(sa, message)
