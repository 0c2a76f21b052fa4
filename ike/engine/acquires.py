# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic waits for a Child SA: set one up, and not two.

The kernel repeats itself, both sides can be asked at once, and an acquire can cross the
installation of what it asks for. So an acquire does nothing while a negotiation for its policy is
under way or has just ended; and if the peer has started one, that gets some time to succeed.
"""

from collections.abc import Iterator

from ike.address import Endpoint, Path
from ike.config.model import ChildConfig, Connection
from ike.engine.context import EngineContext
from ike.engine.create_child_sa import CreateChildSa
from ike.engine.expires import current
from ike.engine.ike_sa import IkeSa
from ike.engine.initiate import Initiate
from ike.engine.peer import Peer
from ike.engine.reauthentication import check, subject
from ike.engine.registry import Registry
from ike.engine.states import ChildState, State

_OWN = (State.NEW, State.CONNECTING, State.AUTHENTICATING)


class Acquires:
    """Acquires and what waits of them."""

    def __init__(self, context: EngineContext, registry: Registry[IkeSa]) -> None:
        self._context = context
        self._registry = registry
        self._waiting: dict[int, float] = {}
        """By reqid, when patience with the peer's own negotiation ends."""

    def acquire(self, connection: Connection, child: ChildConfig) -> None:
        """Handle that a packet matched the policy of ``child`` and there is no state for it."""
        if self._is_under_way(child):
            return
        if self._peer_has_started(connection):
            patience = self._context.now + self._context.settings.acquire_patience
            self._waiting.setdefault(child.reqid, patience)
        else:
            self._start(connection, child)

    def initiate(self, connection: Connection, child: ChildConfig) -> bool:
        """Set up a Child SA, unless there is one.

        Returns:
            Whether it is being set up, now or already; false: it stands.
        """
        if self._stands(child):
            return False
        if not self._is_being_created(child):
            self._start(connection, child)
        return True

    def reauthenticate(self, old: IkeSa) -> None:
        """Put another IKE SA from scratch in the place of one.

        Raises:
            UnknownName: That is under way already, or nothing to set up is configured.
        """
        connection, child = subject(old)
        check(self._registry, old)
        self._new(connection, child, old).enqueue(Initiate(child))

    def _sas(self, child: ChildConfig) -> Iterator[IkeSa]:
        """The IKE SAs on which the Child SA can be, however their connection was configured."""
        return (sa for sa in self._registry.values() if sa.peer.remote_id == child.reqid)

    def _stands(self, child: ChildConfig) -> bool:
        return any(
            installed.config.offer == child.offer
            and installed.state in (ChildState.INSTALLED, ChildState.REKEYING)
            and current(self._registry, installed)
            for installed in self._context.children.values()
        )

    def _is_being_created(self, child: ChildConfig) -> bool:
        return any(sa.queue.is_creating(child.reqid) for sa in self._sas(child))

    def _is_under_way(self, child: ChildConfig) -> bool:
        if self._is_being_created(child):
            return True
        youngest = self._context.now - self._context.settings.acquire_grace
        return any(
            installed.config.reqid == child.reqid and installed.installed_at > youngest
            for installed in self._context.children.values()
        )

    def _peer_has_started(self, connection: Connection) -> bool:
        return any(
            sa.state is State.HALF_OPEN and connection in sa.candidates()
            for sa in self._registry.values()
        )

    def _start(self, connection: Connection, child: ChildConfig) -> None:
        there = list(self._sas(child))
        for state in (State.ESTABLISHED, *_OWN):
            for sa in there:
                if sa.state is state:
                    sa.enqueue(CreateChildSa(child))
                    return
        self._new(connection, child).enqueue(Initiate(child))

    def _new(
        self, connection: Connection, child: ChildConfig, replacing: IkeSa | None = None
    ) -> IkeSa:
        return IkeSa(
            self._context,
            self._registry,
            self._path(connection, replacing),
            Peer(self._context, connection, child.reqid),
            initiator=True,
            replacing=replacing,
        )

    def _path(self, connection: Connection, old: IkeSa | None) -> Path:
        """Where to begin; a way through a NAT, which only the other side may have opened, stays."""
        if old and old.route.encap:
            return old.route.path
        port = self._context.ports.ike
        ends = connection.local_addrs[0], connection.remote_addrs[0]
        return Path(*(Endpoint(host, port) for host in ends))

    def next_timer(self) -> float | None:
        """When patience ends."""
        return min(self._waiting.values(), default=None)

    def handle_timer(self) -> None:
        """Set up what the peer has started but not finished."""
        due = [reqid for reqid, time in self._waiting.items() if time <= self._context.now]
        for reqid in due:
            del self._waiting[reqid]
            found = self._context.configuration.child(reqid)
            if found and not self._is_under_way(found[1]):
                self._start(*found)
