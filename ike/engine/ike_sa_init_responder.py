# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_SA_INIT requests: cookies, the half-open limit, and an IKE SA for each acceptable request."""

import hashlib
import logging

from ike.address import Path
from ike.engine import half_open, ike_sa_init
from ike.engine.context import Arrival, EngineContext
from ike.engine.cookies import Claim, Cookies
from ike.engine.ike_sa import IkeSa
from ike.engine.peer import Peer
from ike.engine.registry import Registry
from ike.engine.states import State
from ike.message.chain import decode_chain
from ike.message.errors import InvalidMajorVersion, PeerError, Unauthenticated
from ike.message.header import NO_SPI, Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payloads import Notify

log = logging.getLogger("ike")


class InitResponder:
    """Creates an IKE SA for each acceptable IKE_SA_INIT request.

    Args:
        context: What all IKE SAs share.
        registry: The IKE SAs.
    """

    def __init__(self, context: EngineContext, registry: Registry[IkeSa]) -> None:
        self._context = context
        self._registry = registry
        self._cookies = Cookies(context.random)
        self._answered: dict[bytes, bytes] = {}
        """Our SPIs by the digests of the requests that were answered."""

    def find(self, arrival: Arrival) -> IkeSa | None:
        """Return the IKE SA that this very request has created, if it was answered before."""
        if not _is_init(arrival):
            return None
        spi = self._answered.get(hashlib.sha256(arrival.octets).digest())
        return self._registry.get(spi) if spi else None

    def receive(self, arrival: Arrival) -> bool:
        """Answer a message that names no IKE SA of ours.

        Returns:
            False if it is not an IKE_SA_INIT request.
        """
        if not _is_init(arrival):
            return False
        if self._has_proven_address(arrival):
            header, first, octets, path = arrival
            try:
                message = Message(header, decode_chain(first, octets[Header.LENGTH :]))
                if self._has_room(path):
                    self._answer(message, arrival)
            except PeerError as error:
                log.info("IKE_SA_INIT from %s: %s", path.remote, error)
                self._refuse(header, path, Notify(error.notify, error.data))
        return True

    def _has_proven_address(self, arrival: Arrival) -> bool:
        """Check that a request returns a cookie, once many peers are not authenticated.

        If it returns none, one is sent; until then only the header, the nonce and the cookie are
        read (RFC 7296, 2.6).
        """
        count = sum(sa.state is State.HALF_OPEN for sa in self._unauthenticated())
        if count < self._context.settings.cookie_threshold:
            return True
        try:
            claim = Claim.of(arrival)
        except Unauthenticated as error:
            log.info("IKE_SA_INIT from %s dropped: %s", arrival.path.remote, error)
            return False
        if self._cookies.are_good(claim):
            return True
        cookie = self._cookies.make(claim, self._context.now)
        self._refuse(arrival.header, arrival.path, Notify(NotifyType.COOKIE, cookie))
        return False

    def _unauthenticated(self) -> list[IkeSa]:
        return half_open.unauthenticated(self._registry, self._answered.values())

    def _has_room(self, path: Path) -> bool:
        pending = self._unauthenticated()
        return half_open.make_room(self._context, self._registry, pending, path.remote.host)

    def _answer(self, message: Message, arrival: Arrival) -> None:
        context, registry, path = self._context, self._registry, arrival.path
        log.info("parsed %s", message)
        self._forget()
        sa = IkeSa(context, registry, path, Peer(context), initiator=False)
        try:
            payloads = ike_sa_init.respond(sa, message)
        except Exception as error:  # whatever it is, there is no IKE SA
            sa.close(str(error), wanted=False)
            registry.remove(sa.spi_local)
            raise
        log.info("%s is initiating an IKE_SA", path.remote.host)
        sa.channel.received_init(arrival.octets)
        sa.channel.respond(arrival, payloads)
        self._answered[hashlib.sha256(arrival.octets).digest()] = sa.spi_local

    def _forget(self) -> None:
        """Forget the requests of IKE SAs that are removed, whenever they are the majority."""
        if len(self._answered) > 2 * len(self._registry) + 16:
            self._answered = {
                digest: spi for digest, spi in self._answered.items() if spi in self._registry
            }

    def _refuse(self, to: Header, path: Path, notify: Notify) -> None:
        """Send a Notify without an IKE SA."""
        header = Header(to.spi_i, to.spi_r, to.exchange, not to.initiator, True, to.message_id)
        answer = Message(header, (notify,))
        log.info("generating %s", answer)
        self._context.send(path, (answer.encode(),), proven=False)

    def refuse_version(self, octets: bytes, path: Path, error: InvalidMajorVersion) -> None:
        """Send our version to a peer whose first message has a later one (RFC 7296, 2.5)."""
        header, _, _ = Header.decode_any(octets)
        if not header.response and header.spi_r == NO_SPI:
            self._refuse(header, path, Notify(error.notify, error.data))


def _is_init(arrival: Arrival) -> bool:
    """Whether a message is the first request of an initiator."""
    header = arrival.header
    return (
        header.exchange == ExchangeType.IKE_SA_INIT
        and header.initiator
        and not header.response
        and header.message_id == 0
        and header.spi_r == NO_SPI
    )
