# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer as it was authenticated once: what an IKE SA leaves to the one that takes its place.

It holds the TKM's ``ae`` context and the Child SAs. Each IKE SA of the line, the old one, its
successor, in a collision a second successor, is a member; with the last member all of it goes.
"""

import contextlib
import logging
from typing import TYPE_CHECKING

from ike.config.model import ChildConfig, Connection
from ike.engine.child_sa import ChildSa
from ike.engine.context import EngineContext
from ike.engine.events import ChildSaInstalled, ChildSaRemoved
from ike.engine.states import ChildTrigger, State
from ike.errors import TrustedRefusal
from ike.tkm_client import AuthenticatedEndpoint

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


class Peer:
    """An authenticated peer, or one about to be.

    :ivar connection: ``None`` until it is known whom a request comes from.
    :ivar remote_id: the TKM's number of the identity that it has proven, or is about to. It is
        that of the one policy whose Child SAs the TKM lets it have.
    :ivar endpoint: the context of the TKM; made with the first keys.
    :ivar children: its Child SAs by our inbound SPI.
    :ivar members: the IKE SAs of the line.
    :ivar first_contact: who began said INITIAL_CONTACT: it knew of no other IKE SA between the two.
    """

    def __init__(
        self, context: EngineContext, connection: Connection | None = None, remote_id: int = 0
    ) -> None:
        self._context = context
        self.connection = connection
        self.remote_id = remote_id
        self.endpoint: AuthenticatedEndpoint | None = None
        self.children: dict[bytes, ChildSa] = {}
        self.members: set[IkeSa] = set()
        self.first_contact = False

    def join(self, sa: "IkeSa") -> None:
        """An IKE SA becomes a member."""
        self.members.add(sa)

    def leave(self, sa: "IkeSa", reason: str) -> None:
        """An IKE SA is over."""
        self.members.discard(sa)
        if self.members:
            return
        for child in list(self.children.values()):
            self.remove(sa, child, reason)
        if self.endpoint:
            self.endpoint.free()
            self.endpoint = None

    def possible_children(self) -> list[ChildConfig]:
        """The Child SAs that can come of it."""
        children = self.connection.children if self.connection else ()
        return [child for child in children if child.reqid == self.remote_id]

    def heir(self, sa: "IkeSa") -> "IkeSa | None":
        """The member that goes on where ``sa`` has to stop."""
        others = [m for m in self.members if m is not sa and m.state is State.ESTABLISHED]
        return max(others, key=lambda member: member.id, default=None)

    def by_remote_spi(self, spi: bytes) -> ChildSa | None:
        """The Child SA that the peer knows by its inbound SPI."""
        return next((c for c in self.children.values() if c.spi_remote == spi), None)

    def add(self, sa: "IkeSa", child: ChildSa, rekeyed: ChildSa | None = None) -> None:
        """A Child SA is installed, maybe in the place of another."""
        self.children[child.spi_local] = child
        self._context.children[child.spi_local] = child
        log.info("CHILD_SA %s", child)
        self._context.tell(
            ChildSaInstalled(
                sa.id,
                child.config.name,
                child.config.reqid,
                child.spi_local,
                child.spi_remote,
                rekeyed.spi_local if rekeyed else b"",
            )
        )

    def remove(self, sa: "IkeSa", child: ChildSa, reason: str) -> None:
        """A Child SA is over, once; what has taken its place carries the traffic from now on."""
        if self.children.pop(child.spi_local, None) is None:
            return
        del self._context.children[child.spi_local]
        if child.successor and child.successor.spi_local in self.children:
            with contextlib.suppress(TrustedRefusal):  # with its TKM, the successor has ended, too
                child.successor.select()
        child.advance(ChildTrigger.CLOSE)
        log.info("deleting child SA (esa: %d, spi: %s)", child.keys.id, child.spi_local.hex())
        child.keys.free()
        self._context.tell(
            ChildSaRemoved(
                sa.id,
                child.config.name,
                child.config.reqid,
                child.spi_local,
                child.spi_remote,
                reason,
            )
        )
