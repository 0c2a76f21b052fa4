# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic waits for a Child SA: who has to do what, so that there is one, and not two.

The kernel repeats itself, both sides can be asked at once, and an acquire can cross the
installation of what it asks for. So an acquire does nothing while a negotiation for its policy is
under way or has just ended; and if the peer has begun one, that gets a moment to succeed.
"""

from typing import TYPE_CHECKING

from ike.address import Endpoint, Path
from ike.config.model import ChildConfig, Connection
from ike.engine.context import EngineContext
from ike.engine.create_child_sa import CreateChildSa
from ike.engine.ike_sa import IkeSa
from ike.engine.ike_sa_init import IkeSaInit
from ike.engine.peer import Peer
from ike.engine.reauthentication import Reauthentication, subject
from ike.engine.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN = (State.NEW, State.CONNECTING, State.AUTHENTICATING)


class Acquires:
    """Acquires and what waits of them."""

    def __init__(self, host: EngineContext) -> None:
        self._context = host
        self._waiting: dict[int, float] = {}
        """By reqid, when patience with the peer's own negotiation ends."""

    def acquire(self, connection: Connection, child: ChildConfig) -> None:
        """A packet matched the policy of ``child``, and there is no state for it."""
        if self._is_under_way(child):
            return
        if self._peer_has_begun(connection):
            patience = self._context.now + self._context.settings.acquire_patience
            self._waiting.setdefault(child.reqid, patience)
        else:
            self._begin(connection, child)

    def initiate(self, connection: Connection, child: ChildConfig) -> None:
        """Somebody wants a Child SA, whether there is one or not."""
        if not self._is_being_created(child):
            self._begin(connection, child)

    def reauthenticate(self, old: IkeSa) -> None:
        """Put another IKE SA from scratch in the place of one.

        :raises UnknownName: that is under way already, or nothing to set up is configured.
        """
        connection, child = subject(old)
        new = self._new(connection, child, Reauthentication(old))
        new.enqueue(IkeSaInit(child))

    def _sas(self, child: ChildConfig) -> "Iterator[IkeSa]":
        """The IKE SAs on which the Child SA can be, however their connection was configured."""
        return (sa for sa in self._context.sas.values() if sa.peer.remote_id == child.reqid)

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

    def _peer_has_begun(self, connection: Connection) -> bool:
        return any(
            sa.state is State.HALF_OPEN and connection in sa.candidates()
            for sa in self._context.sas.values()
        )

    def _begin(self, connection: Connection, child: ChildConfig) -> None:
        there = list(self._sas(child))
        for state in (State.ESTABLISHED, *_OWN):
            for sa in there:
                if sa.state is state:
                    sa.enqueue(CreateChildSa(child))
                    return
        self._new(connection, child).enqueue(IkeSaInit(child))

    def _new(
        self, connection: Connection, child: ChildConfig, instead: Reauthentication | None = None
    ) -> IkeSa:
        path = self._path(connection, instead.old if instead else None)
        peer = Peer(self._context, connection, child.reqid)
        sa = IkeSa(self._context, *path, peer, initiator=True)
        sa.reauthentication = instead
        return sa

    def _path(self, connection: Connection, old: IkeSa | None) -> Path:
        """Where to begin; a way through a NAT, which only the other side may have opened, stays."""
        if old and old.channel.route.encap:
            return old.channel.route.path
        port = self._context.ports.ike
        ends = connection.local_addrs[0], connection.remote_addrs[0]
        return Path(*(Endpoint(host, port) for host in ends))

    def next_timer(self) -> float | None:
        """When patience ends."""
        return min(self._waiting.values(), default=None)

    def handle_timer(self) -> None:
        """Begin ourselves what the peer has not brought to an end."""
        due = [reqid for reqid, time in self._waiting.items() if time <= self._context.now]
        for reqid in due:
            del self._waiting[reqid]
            found = self._context.configuration.child(reqid)
            if found and not self._is_under_way(found[1]):
                self._begin(*found)
