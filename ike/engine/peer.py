# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer as it was authenticated, which an IKE SA hands on to its successor when it is rekeyed.

It holds the TKM's ``ae`` context and the Child SAs. The IKE SAs that succeed one another share it;
it is closed with the last of them.
"""

import logging

from ike.config.model import ChildConfig, Connection
from ike.engine.child_sa import ChildSa
from ike.engine.context import EngineContext
from ike.engine.events import ChildSaInstalled, ChildSaRemoved
from ike.engine.states import ChildTrigger
from ike.tkm_client import AuthenticatedEndpoint

log = logging.getLogger("ike")


class Peer:
    """An authenticated peer, or one that is about to be authenticated.

    Attributes:
        connection: Its connection; ``None`` until it is known which one a request belongs to.
        remote_id: The TKM's number of the identity that it has proven, or is about to prove. It is
            that of the one policy whose Child SAs the TKM allows it.
        endpoint: The context of the TKM; it is created together with the first keys.
        children: Its Child SAs by our inbound SPI.
        first_contact: The initiator sent INITIAL_CONTACT: it has no other IKE SA with us.
    """

    def __init__(
        self, context: EngineContext, connection: Connection | None = None, remote_id: int = 0
    ) -> None:
        self._context = context
        self.connection = connection
        self.remote_id = remote_id
        self.endpoint: AuthenticatedEndpoint | None = None
        self.children: dict[bytes, ChildSa] = {}
        self.first_contact = False

    def create_endpoint(self) -> AuthenticatedEndpoint:
        """Return its context of the TKM; the first call creates it."""
        if self.endpoint is None:
            self.endpoint = AuthenticatedEndpoint(self._context.tkm)
        return self.endpoint

    def identify(self, connection: Connection) -> None:
        """Note the connection that it asks for."""
        self.connection = connection

    def expect_identity(self, remote_id: int) -> None:
        """Note the identity that it has to prove, as the TKM numbers it."""
        self.remote_id = remote_id

    def note_first_contact(self, first: bool) -> None:
        """Note whether the initiator knows of no other IKE SA between the two."""
        self.first_contact = first

    def close(self, ike_sa: int, reason: str) -> None:
        """Remove its Child SAs and give its context back: its last IKE SA is closed."""
        for child in list(self.children.values()):
            self.remove(ike_sa, child, reason)
        if self.endpoint:
            self.endpoint.free()
            self.endpoint = None

    def possible_children(self) -> list[ChildConfig]:
        """Return the Child SAs that the TKM allows it."""
        children = self.connection.children if self.connection else ()
        return [child for child in children if child.reqid == self.remote_id]

    def by_remote_spi(self, spi: bytes) -> ChildSa | None:
        """Return the Child SA with an inbound SPI of the peer."""
        return next((c for c in self.children.values() if c.spi_remote == spi), None)

    def add(self, ike_sa: int, child: ChildSa, rekeyed: ChildSa | None = None) -> None:
        """Add a Child SA that was installed.

        Args:
            ike_sa: The number of its IKE SA.
            child: The Child SA.
            rekeyed: The Child SA whose place it takes.
        """
        self.children[child.spi_local] = child
        self._context.add_child(child)
        log.info("CHILD_SA %s", child)
        self._context.emit(
            ChildSaInstalled(
                ike_sa,
                child.config.name,
                child.config.reqid,
                child.spi_local,
                child.spi_remote,
                rekeyed.spi_local if rekeyed else b"",
            )
        )

    def remove(self, ike_sa: int, child: ChildSa, reason: str) -> None:
        """Remove a Child SA; its successor carries the traffic from now on.

        Removing it again is not an error.
        """
        if self.children.pop(child.spi_local, None) is None:
            return
        self._context.remove_child(child)
        child.hand_over()
        child.advance(ChildTrigger.CLOSE)
        log.info("deleting child SA (esa: %d, spi: %s)", child.keys.id, child.spi_local.hex())
        child.keys.free()
        self._context.emit(
            ChildSaRemoved(
                ike_sa,
                child.config.name,
                child.config.reqid,
                child.spi_local,
                child.spi_remote,
                reason,
            )
        )
