# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine: what arrives finds its IKE SA here, and what leaves is collected here.

Every method takes the time, and may leave datagrams and events behind; whoever calls takes them
with :meth:`Ike.datagrams_to_send` and :meth:`Ike.take_events`, and comes back to
:meth:`Ike.handle_timer` at :meth:`Ike.next_timer`.
"""

import logging
import math
import os
from collections.abc import Callable
from typing import Any

from ike.address import Endpoint, Path
from ike.config.model import ChildConfig, Configuration, Connection
from ike.engine import timers
from ike.engine.acquires import Acquires
from ike.engine.child_sa import ChildSa
from ike.engine.context import Arrival, Datagram, EngineContext, Settings
from ike.engine.deadline_index import DeadlineIndex
from ike.engine.events import Event
from ike.engine.expires import current, expire
from ike.engine.ike_sa import IkeSa
from ike.engine.ike_sa_init_responder import InitResponder
from ike.engine.informational import DeleteChildSa
from ike.engine.rekey_child_sa import RekeyChildSa
from ike.engine.rekey_ike_sa import RekeyIkeSa
from ike.engine.route import KEEPALIVE, PORTS, Ports
from ike.engine.states import State
from ike.engine.status import status
from ike.errors import InvalidMajorVersion, PeerError, UnknownName
from ike.message.header import Header
from ike.tkm_client import TkmClient

log = logging.getLogger("ike")

_VIA_SPI = "no IKE SA with SPI %s, message from %s dropped"


class Ike:
    """All IKE SAs of a host.

    :param random: gives that many random octets; the operating system's by default.
    """

    def __init__(
        self,
        tkm: TkmClient,
        configuration: Configuration,
        settings: Settings | None = None,
        random: Callable[[int], bytes] = os.urandom,
        ports: Ports = PORTS,
    ) -> None:
        self.context = EngineContext(tkm, configuration, settings or Settings(), random, ports)
        self._init_responder = InitResponder(self.context)
        self._acquires = Acquires(self.context)
        self.deadline_index = DeadlineIndex(self.context)
        self._quiet_until = 0.0
        self._serving: IkeSa | None = None
        """The IKE SA that something is done for right now."""

    # What arrives

    def receive_datagram(
        self, octets: bytes, local: Endpoint, remote: Endpoint, now: float
    ) -> None:
        """A UDP payload has come from ``remote`` to ``local``. Whatever it is, it does no harm."""
        self.context.now = now
        message = self.context.ports.unwrap(octets, local)
        if message is None:
            if octets != KEEPALIVE:
                log.info("received from %s: ESP that the kernel does not take, dropped", remote)
            return
        self._receive(message, Path(local, remote))

    def _receive(self, message: bytes, path: Path) -> None:
        try:
            header, first = Header.decode(message)
        except InvalidMajorVersion as error:
            log.info("received from %s: %s", path.remote, error)
            self._init_responder.refuse_version(message, path, error)
            return
        except PeerError as error:
            log.info("received from %s: %s, dropped", path.remote, error)
            return
        arrival = Arrival(header, first, message, path)
        # The initiator flag tells which of the two SPIs is the receiver's.
        spi = header.spi_r if header.initiator else header.spi_i
        sa = self.context.sas.get(spi)
        if sa:
            self._serving = sa
            sa.receive(arrival)
            self._serving = None
        elif not self._init_responder.receive(arrival):
            log.info(_VIA_SPI, spi.hex(), path.remote)

    def acquire(self, reqid: int, now: float) -> None:
        """Traffic waits for the Child SA of a policy.

        :raises UnknownName: no child has this reqid.
        """
        self.context.now = now
        log.info("ees: acquire received for reqid %d", reqid)
        self._acquires.acquire(*self._child(reqid))

    def expire(self, reqid: int, spi: bytes, *, hard: bool, now: float) -> None:
        """The kernel says that a state's lifetime is over, or soon will be.

        :param spi: of the state, as in packets.
        """
        self.context.now = now
        expire(self.context, reqid, spi, hard=hard)

    # Commands

    def initiate(self, reqid: int, now: float) -> None:
        """Set up a Child SA, and an IKE SA for it if there is none.

        :raises UnknownName: no child has this reqid.
        """
        self.context.now = now
        self._acquires.initiate(*self._child(reqid))

    def rekey_child_sa(self, spi: bytes, now: float) -> None:
        """Rekey the Child SA with this inbound SPI of ours.

        :raises UnknownName: there is none.
        """
        self.context.now = now
        sa, child = self._installed(spi)
        sa.enqueue(RekeyChildSa(child))

    def delete_child_sa(self, spi: bytes, reason: str, now: float) -> None:
        """Delete the Child SA with this inbound SPI of ours.

        :raises UnknownName: there is none.
        """
        self.context.now = now
        sa, child = self._installed(spi)
        sa.enqueue(DeleteChildSa(child, reason))

    def _installed(self, spi: bytes) -> tuple[IkeSa, ChildSa]:
        child = self.context.children.get(spi)
        sa = current(self.context, child) if child else None
        if child is None or sa is None:
            raise UnknownName(f"no CHILD_SA has the inbound SPI {spi.hex()}")
        return sa, child

    def rekey_ike_sa(self, number: int, now: float) -> None:
        """Rekey an IKE SA.

        :raises UnknownName: there is none, or none that can be rekeyed.
        """
        self.context.now = now
        self._established(number).enqueue(RekeyIkeSa())

    def reauthenticate(self, number: int, now: float) -> None:
        """Put another IKE SA in the place of one, from scratch and without a gap in the traffic.

        :raises UnknownName: there is none, or none that can be reauthenticated now.
        """
        self.context.now = now
        self._acquires.reauthenticate(self._established(number))

    def _established(self, number: int) -> IkeSa:
        for sa in self.sas():
            if sa.id == number and sa.state is State.ESTABLISHED:
                return sa
        raise UnknownName(f"no IKE_SA {number} is established")

    def delete_ike_sa(self, number: int, reason: str, now: float, *, force: bool = False) -> None:
        """Delete an IKE SA.

        :param force: do not wait for the peer.
        :raises UnknownName: there is none.
        """
        self.context.now = now
        for sa in self.sas():
            if sa.id == number:
                sa.delete(reason, for_good=True)
                if force:
                    sa.close(reason, wanted=True)
                return
        raise UnknownName(f"there is no IKE_SA {number}")

    def terminate(self, reason: str, now: float, connection: str | None = None) -> None:
        """Delete the IKE SAs of a connection, or all."""
        self.context.now = now
        for sa in list(self.context.sas.values()):
            known = sa.peer.connection
            if connection is None or (known and known.name == connection):
                sa.delete(reason, for_good=True)

    def close(self, reason: str, now: float) -> None:
        """Close all IKE SAs at once, and tell no peer."""
        self.context.now = now
        for sa in list(self.context.sas.values()):
            sa.close(reason, wanted=True)

    def abandon(self, reason: str, now: float) -> None:
        """A method has raised what it must not: close the IKE SA that it was about, and no other.

        :raises Exception: its end fails, too; it is forgotten all the same.
        """
        self.context.now = now
        sa, self._serving = self._serving, None
        if sa:
            try:
                sa.close(reason, wanted=False)
            finally:
                self.context.sas.pop(sa.channel.spi_local, None)

    def _child(self, reqid: int) -> tuple[Connection, ChildConfig]:
        found = self.context.configuration.child(reqid)
        if found is None:
            raise UnknownName(f"no child has reqid {reqid}")
        return found

    # Time

    def next_timer(self) -> float | None:
        """When :meth:`handle_timer` has something to do; ``None`` if nothing is waited for."""
        times = self.deadline_index.next_timer(), self._acquires.next_timer()
        due = min((time for time in times if time is not None), default=None)
        self._quiet_until = math.inf if due is None else due
        return due

    def handle_timer(self, now: float) -> None:
        """Do what is due by ``now``, of what :meth:`next_timer` has told."""
        self.context.now = now
        if now < self._quiet_until:
            return
        for sa in self.deadline_index.due():
            self._serving = sa
            timers.handle_timer(sa, self._acquires)
            self._serving = None
        self._acquires.handle_timer()

    # What leaves

    def datagrams_to_send(self) -> list[Datagram]:
        """Take the datagrams that have to be sent."""
        datagrams, self.context.outbox = self.context.outbox, []
        return datagrams

    def take_events(self) -> list[Event]:
        """Take what has happened."""
        events, self.context.events = self.context.events, []
        return events

    @property
    def is_idle(self) -> bool:
        """No IKE SA is alive; those that linger hold nothing."""
        return all(sa.state is State.GONE for sa in self.context.sas.values())

    def status(self) -> list[dict[str, Any]]:
        """IKE SAs and their Child SAs as data."""
        return status(self.context)

    def sas(self) -> list[IkeSa]:
        """The IKE SAs that are alive."""
        return [sa for sa in self.context.sas.values() if sa.state is not State.GONE]
