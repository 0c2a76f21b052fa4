# SPDX-License-Identifier: GPL-2.0-or-later
"""What commands act on."""

import logging
import selectors
import time
from collections.abc import Callable
from typing import Any, Protocol

from ike.config.model import Authority, Configuration, Connection
from ike.config.swanctl import check_reqids
from ike.engine.engine import Ike
from ike.engine.events import Event
from ike.x509 import Certificate


class Loop(Protocol):
    """The event loop of the daemon, as far as the control interface needs it."""

    @property
    def engine(self) -> Ike: ...
    @property
    def selector(self) -> selectors.BaseSelector: ...
    @property
    def listeners(self) -> list[Callable[[Event], None]]:
        """Called with each event."""

    @property
    def timers(self) -> list[Any]:
        """Objects with ``next_timer`` and ``handle_timer``."""

    @property
    def limiter(self) -> logging.Filter:
        """Limits log lines."""

    def listen(self, host: str) -> None:
        """Receive at one of our addresses."""

    def start(self, connection: Connection) -> None:
        """Set up the Child SAs of a connection that are to be set up at once."""


class Control:
    """A running daemon, and what clients have brought to it.

    Args:
        clock: Seconds from anywhere; the engine's time.

    Attributes:
        loaded: Names of connections that came from clients.
        certificates: Certificates that came from clients.
        authorities: CAs by the names that clients gave them.
    """

    def __init__(self, service: Loop, clock: Callable[[], float] = time.monotonic) -> None:
        self.service = service
        self.engine = service.engine
        self.clock = clock
        self.started = clock()
        self.loaded: set[str] = set()
        self.certificates: dict[Certificate, bool] = {}
        """Those of CAs as true."""
        self.authorities: dict[str, Authority] = {}
        self._replaceable: set[str] = set()
        """Names of connections that were not loaded since a client began to load them all."""
        self._own_issuers = self.configuration.issuers

    @property
    def configuration(self) -> Configuration:
        """What is configured now."""
        return self.engine.context.configuration

    def connection(self, name: str) -> Connection | None:
        """The connection of a name."""
        connections = self.configuration.connections
        return next((each for each in connections if each.name == name), None)

    def begin_loading(self) -> None:
        """A client asks what is loaded: it is about to load all that is to be there.

        It unloads the others, but only then. So from now on what it loads takes over the reqids of
        those that it has not loaded again: a connection can get another name, and two can exchange
        their reqids.
        """
        self._replaceable = {each.name for each in self.configuration.connections}

    def owner(self, reqid: int, but: str) -> str | None:
        """The Child SA that has a reqid and does not leave it to the connection ``but``."""
        found = self.configuration.child(reqid)
        if found is None or found[0].name in {but, *self._replaceable}:
            return None
        connection, child = found
        return f"{connection.name}.{child.name}"

    def loaded_by_client(self, name: str) -> None:
        """A client wants a connection to be as it is now."""
        self.loaded.add(name)
        self._replaceable.discard(name)

    def put(self, connection: Connection) -> None:
        """Configure a connection, in place of the one of its name; IKE SAs stay as they are.

        Children of others with the same reqids are forgotten, see :meth:`owner`.

        Raises:
            ConfigError: One of its addresses cannot be used.
        """
        for host in connection.local_addrs:
            self.service.listen(host)
        self._replace(connection.name, (connection,))

    def reload(self, configuration: Configuration) -> None:
        """Take what the file has now, besides what clients brought under other names.

        Raises:
            ConfigError: Something cannot be used; nothing has changed.
        """
        old, names = self.configuration, {each.name for each in configuration.connections}
        brought = [
            each for each in old.connections if each.name in self.loaded and each.name not in names
        ]
        connections = (*configuration.connections, *brought)
        check_reqids(connections)
        for host in dict.fromkeys(host for each in connections for host in each.local_addrs):
            self.service.listen(host)
        self.loaded -= names
        self._own_issuers = configuration.issuers
        new = Configuration(connections, configuration.authorities, configuration.issuers)
        self.engine.reload(new, self.clock())
        self.refresh_issuers()
        for connection in connections:
            if connection not in old.connections:
                self.service.start(connection)

    def drop(self, name: str) -> None:
        """Forget a connection; its IKE SAs stay as they are."""
        self._replace(name, ())

    def _replace(self, name: str, by: tuple[Connection, ...]) -> None:
        old = self.configuration
        taken = {child.reqid for connection in by for child in connection.children}
        others = (each.without(taken) for each in old.connections if each.name != name)
        rest = tuple(each for each in others if each.children)
        self.engine.configure(Configuration((*rest, *by), old.authorities, old.issuers))

    def refresh_issuers(self) -> None:
        """Let the CAs that clients brought help to find the paths of peers, besides our own."""
        old = self.configuration
        brought = [each for each, authority in self.certificates.items() if authority]
        issuers = tuple(dict.fromkeys((*self._own_issuers, *brought)))
        self.engine.configure(Configuration(old.connections, old.authorities, issuers))
