# SPDX-License-Identifier: GPL-2.0-or-later
"""The interface of the engine: datagrams and commands in, datagrams and events out.

Every method takes the time, and may produce datagrams and events; the caller takes them
with :meth:`Ike.datagrams_to_send` and :meth:`Ike.take_events`, and comes back to
:meth:`Ike.handle_timer` at :meth:`Ike.next_timer`.
"""

import contextlib
import logging
import math
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ike.address import Endpoint, Path
from ike.config.model import ChildConfig, Configuration, Connection
from ike.engine import send, timers
from ike.engine.acquires import Acquires
from ike.engine.child_sa import ChildSa
from ike.engine.context import Datagram, EngineContext, Settings
from ike.engine.deadline_index import DeadlineIndex
from ike.engine.events import Event
from ike.engine.expires import current, expire
from ike.engine.ike_sa import IkeSa
from ike.engine.informational import DeleteChildSa, delete_ike_sa
from ike.engine.receive import Receiver
from ike.engine.reconfiguration import RECONFIGURED, reconfigure
from ike.engine.registry import Registry
from ike.engine.rekey_child_sa import RekeyChildSa
from ike.engine.rekey_ike_sa import RekeyIkeSa
from ike.engine.route import PORTS, Ports
from ike.engine.states import State
from ike.engine.status import status
from ike.errors import UnknownName
from ike.tkm_client import TkmClient

log = logging.getLogger("ike")


class Ike:
    """All IKE SAs of a host.

    Args:
        tkm: The TKM.
        configuration: The connections.
        settings: Time limits and other bounds.
        random: Returns that many unpredictable octets; the operating system's by default.
        ports: Our UDP ports.
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
        self.registry: Registry[IkeSa] = Registry()
        self.deadline_index = DeadlineIndex(self.registry, timers.next_timer)
        self._receiver = Receiver(self.context, self.registry, self._serve)
        self._acquires = Acquires(self.context, self.registry)
        self._quiet_until = 0.0
        self._serving: IkeSa | None = None

    def _serve(self, sa: IkeSa, work: Callable[[], None]) -> None:
        """Do something for an IKE SA; if it raises, :meth:`abandon` closes that one."""
        self._serving = sa
        work()
        self._serving = None

    def _start_waiting(self) -> None:
        """Start the exchanges that wait on IKE SAs that have changed."""
        while ready := self.registry.take_ready():
            for sa in ready:
                self._serve(sa, partial(send.start_waiting, sa))

    @contextlib.contextmanager
    def _at(self, now: float) -> Iterator[None]:
        """Do something at a time; afterwards start the exchanges that were enqueued."""
        self.context.tick(now)
        yield
        self._start_waiting()

    # What arrives

    def receive_datagram(
        self, octets: bytes, local: Endpoint, remote: Endpoint, now: float
    ) -> None:
        """Handle a UDP payload that has come from ``remote`` to ``local``, whatever is in it."""
        self.context.tick(now)
        self._receiver.receive(octets, Path(local, remote))
        self._start_waiting()

    def acquire(self, reqid: int, now: float) -> None:
        """Handle that traffic waits for the Child SA of a policy.

        Raises:
            UnknownName: No child has this reqid.
        """
        log.info("ees: acquire received for reqid %d", reqid)
        with self._at(now):
            self._acquires.acquire(*self._child(reqid))

    def expire(self, reqid: int, spi: bytes, *, hard: bool, now: float) -> None:
        """Handle that the lifetime of a kernel state is over, or soon will be.

        Args:
            reqid: The policy.
            spi: The SPI of the state, as in packets.
            hard: The lifetime is over; otherwise the state is to be rekeyed.
            now: The time.
        """
        with self._at(now):
            expire(self.context, self.registry, reqid, spi, hard=hard)

    # Commands

    def configure(self, configuration: Configuration) -> None:
        """Use another configuration from now on; IKE SAs stay as they are."""
        self.context.configure(configuration)

    def reload(self, configuration: Configuration, now: float) -> None:
        """Use another configuration; IKE SAs that are not possible in it are deleted."""
        with self._at(now):
            gone = reconfigure(self.context, self.registry, configuration)
        for sa in gone:
            sa.close(RECONFIGURED, wanted=True)
        self._start_waiting()

    def initiate(self, reqid: int, now: float) -> bool:
        """Set up a Child SA, and an IKE SA for it if there is none.

        Returns:
            Whether it is being set up, now or already; false: it stands.

        Raises:
            UnknownName: No child has this reqid.
        """
        with self._at(now):
            return self._acquires.initiate(*self._child(reqid))

    def rekey_child_sa(self, spi: bytes, now: float) -> None:
        """Rekey the Child SA with this inbound SPI of ours.

        Raises:
            UnknownName: There is none.
        """
        with self._at(now):
            sa, child = self._installed(spi)
            sa.enqueue(RekeyChildSa(child))

    def delete_child_sa(self, spi: bytes, reason: str, now: float) -> None:
        """Delete the Child SA with this inbound SPI of ours.

        Raises:
            UnknownName: There is none.
        """
        with self._at(now):
            sa, child = self._installed(spi)
            sa.enqueue(DeleteChildSa(child, reason))

    def _installed(self, spi: bytes) -> tuple[IkeSa, ChildSa]:
        child = self.context.children.get(spi)
        sa = current(self.registry, child) if child else None
        if child is None or sa is None:
            raise UnknownName(f"no CHILD_SA has the inbound SPI {spi.hex()}")
        return sa, child

    def rekey_ike_sa(self, number: int, now: float) -> None:
        """Rekey an IKE SA.

        Raises:
            UnknownName: There is none, or none that can be rekeyed.
        """
        with self._at(now):
            self._established(number).enqueue(RekeyIkeSa())

    def reauthenticate(self, number: int, now: float) -> None:
        """Set up another IKE SA in the place of one, without a gap in the traffic.

        Raises:
            UnknownName: There is none, or none that can be reauthenticated now.
        """
        with self._at(now):
            self._acquires.reauthenticate(self._established(number))

    def _established(self, number: int) -> IkeSa:
        for sa in self.sas():
            if sa.id == number and sa.state is State.ESTABLISHED:
                return sa
        raise UnknownName(f"no IKE_SA {number} is established")

    def delete_ike_sa(self, number: int, reason: str, now: float, *, force: bool = False) -> None:
        """Delete an IKE SA.

        Args:
            number: The number of the IKE SA.
            reason: Why, for the log and for events.
            now: The time.
            force: Send the Delete, but do not wait for the peer.

        Raises:
            UnknownName: There is none.
        """
        sa = next((each for each in self.sas() if each.id == number), None)
        if sa is None:
            raise UnknownName(f"there is no IKE_SA {number}")
        with self._at(now):
            delete_ike_sa(sa, reason, for_good=True)
        if force:
            sa.close(reason, wanted=True)
            self._start_waiting()

    def terminate(self, reason: str, now: float, connection: str | None = None) -> None:
        """Delete the IKE SAs of a connection, or all."""
        with self._at(now):
            for sa in list(self.registry.values()):
                known = sa.peer.connection
                if connection is None or (known and known.name == connection):
                    delete_ike_sa(sa, reason, for_good=True)

    def close(self, reason: str, now: float) -> None:
        """Close all IKE SAs at once, without a message to their peers."""
        with self._at(now):
            for sa in list(self.registry.values()):
                sa.close(reason, wanted=True)

    def abandon(self, reason: str, now: float) -> None:
        """Close the IKE SA that an unexpected exception was about, and no other.

        Raises:
            Exception: It cannot be closed either; it is removed all the same.
        """
        self.context.tick(now)
        sa, self._serving = self._serving, None
        if sa:
            try:
                sa.close(reason, wanted=False)
            finally:
                self.registry.remove(sa.spi_local)

    def _child(self, reqid: int) -> tuple[Connection, ChildConfig]:
        found = self.context.configuration.child(reqid)
        if found is None:
            raise UnknownName(f"no child has reqid {reqid}")
        return found

    # Time

    def next_timer(self) -> float | None:
        """Return when :meth:`handle_timer` has something to do; ``None``: nothing is waited for."""
        times = (
            self.deadline_index.next_timer(),
            self._acquires.next_timer(),
            self.context.handovers.next_timer(),
        )
        due = min((time for time in times if time is not None), default=None)
        self._quiet_until = math.inf if due is None else due
        return due

    def handle_timer(self, now: float) -> None:
        """Do what is due by ``now``, since :meth:`next_timer` was called."""
        self.context.tick(now)
        if now < self._quiet_until:
            return
        for sa in self.deadline_index.due(now):
            self._serve(sa, partial(timers.handle_timer, sa, self.registry, self._acquires))
        self._acquires.handle_timer()
        self.context.handovers.handle_timer(now)
        self._start_waiting()

    # What leaves

    def datagrams_to_send(self) -> list[Datagram]:
        """Return the datagrams that are to be sent, and forget them."""
        return self.context.take_datagrams()

    def take_events(self) -> list[Event]:
        """Return what has happened, and forget it."""
        return self.context.take_events()

    @property
    def is_idle(self) -> bool:
        """No IKE SA is alive; those that are closed hold nothing."""
        return all(sa.state is State.GONE for sa in self.registry.values())

    def status(self) -> list[dict[str, Any]]:
        """Return the IKE SAs and their Child SAs as data."""
        return status(self.registry)

    def sas(self) -> list[IkeSa]:
        """Return the IKE SAs that are alive."""
        return [sa for sa in self.registry.values() if sa.state is not State.GONE]
