# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_SA_INIT requests of peers: cookies, limits, and an IKE SA for each that is good."""

import hashlib
import logging

from ike.address import Path
from ike.engine import half_open, ike_sa_init
from ike.engine.context import Arrival, EngineContext
from ike.engine.cookies import Cookies
from ike.engine.ike_sa import IkeSa
from ike.engine.peer import Peer
from ike.engine.states import State
from ike.errors import InvalidMajorVersion, PeerError
from ike.message.chain import decode_chain
from ike.message.header import NO_SPI, Header
from ike.message.message import Message
from ike.message.notify import Notify
from ike.message.numbers import ExchangeType, NotifyType

log = logging.getLogger("ike")


class InitResponder:
    """Where IKE SAs that peers initiate begin."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._cookies = Cookies(context.random)
        self._begun: dict[bytes, bytes] = {}
        """Our SPIs by the digest of the request that has begun the IKE SA."""

    def receive(self, arrival: Arrival) -> bool:
        """A message that names no IKE SA of ours; false if it does not begin one either."""
        header, first, octets, path = arrival
        if (
            header.response
            or not header.initiator
            or header.exchange != ExchangeType.IKE_SA_INIT
            or header.message_id
            or header.spi_r != NO_SPI
        ):
            return False
        if not self._has_begun(arrival):
            try:
                message = Message(header, decode_chain(first, octets[Header.LENGTH :]))
                self._begin(message, arrival)
            except PeerError as error:
                log.info("IKE_SA_INIT from %s: %s", path.remote, error)
                self._refuse(header, path, Notify(error.notify, error.data))
        return True

    def _has_begun(self, arrival: Arrival) -> bool:
        """This very request was answered before; so it is again, until the next one has come."""
        spi = self._begun.get(hashlib.sha256(arrival.octets).digest())
        sa = self._context.sas.get(spi) if spi else None
        if sa is None:
            return False
        sa.receive(arrival)
        return True

    def _begin(self, message: Message, arrival: Arrival) -> None:
        context, octets, path = self._context, arrival.octets, arrival.path
        remote = path.remote
        log.info("parsed %s", message)
        unproven = half_open.unproven(context, self._begun.values())
        begun = sum(sa.state is State.HALF_OPEN for sa in unproven)
        if begun >= context.settings.cookie_threshold and not self._cookies.are_good(
            message, remote
        ):
            cookie = self._cookies.make(message, remote, context.now)
            self._refuse(message.header, path, Notify(NotifyType.COOKIE, cookie))
            return
        half_open.evict(context, unproven)
        self._forget()
        sa = IkeSa(context, *path, Peer(context), initiator=False)
        try:
            payloads = ike_sa_init.respond(sa, message)
        except Exception as error:  # whatever it is, the IKE SA has not begun
            sa.close(str(error), wanted=False)
            del context.sas[sa.channel.spi_local]
            raise
        log.info("%s is initiating an IKE_SA", remote.host)
        sa.channel.init_remote = octets
        sa.channel.respond(arrival, payloads)
        self._begun[hashlib.sha256(octets).digest()] = sa.channel.spi_local

    def _forget(self) -> None:
        """Forget about IKE SAs that are no more, whenever they are the most."""
        if len(self._begun) > 2 * len(self._context.sas) + 16:
            self._begun = {d: spi for d, spi in self._begun.items() if spi in self._context.sas}

    def _refuse(self, to: Header, path: Path, notify: Notify) -> None:
        """Answer without an IKE SA."""
        header = Header(to.spi_i, to.spi_r, to.exchange, not to.initiator, True, to.message_id)
        answer = Message(header, (notify,))
        log.info("generating %s", answer)
        self._context.send(path, (answer.encode(),))

    def refuse_version(self, octets: bytes, path: Path, error: InvalidMajorVersion) -> None:
        """Say which version we speak, if a first message of a later one came (2.5)."""
        header, _, _ = Header.decode_any(octets)
        if not header.response and header.spi_r == NO_SPI:
            self._refuse(header, path, Notify(error.notify, error.data))
