# SPDX-License-Identifier: GPL-2.0-or-later
"""Which IKE SAs and Child SAs a request means."""

from ike.engine.child_sa import ChildSa
from ike.engine.engine import Ike
from ike.engine.ike_sa import IkeSa
from ike.value import Value
from ike.vici.answers import number, value
from ike.vici.message import Section


def children(sa: IkeSa) -> list[ChildSa]:
    """The Child SAs of an IKE SA; one that another has replaced has left them to that one."""
    return [] if sa.successor else list(sa.peer.children.values())


class Selection(Value):
    """What ``ike``, ``ike-id``, ``child`` and ``child-id`` of a request leave; absent, all."""

    ike: str
    ike_id: int
    child: str
    child_id: int

    @classmethod
    def of(cls, request: Section) -> "Selection":
        """From a request.

        Raises:
            Refused: A number is none.
        """
        ike, child = value(request, "ike"), value(request, "child")
        return cls(ike, number(request, "ike-id"), child, number(request, "child-id"))

    @property
    def is_empty(self) -> bool:
        """The request selects nothing."""
        return not (self.ike or self.ike_id or self.of_children)

    @property
    def of_children(self) -> bool:
        """It means Child SAs, not whole IKE SAs."""
        return bool(self.child or self.child_id)

    def ike_sas(self, engine: Ike) -> list[IkeSa]:
        """The IKE SAs that are meant, or may have the Child SAs that are."""
        return [sa for sa in engine.sas() if self._has(sa)]

    def _has(self, sa: IkeSa) -> bool:
        connection = sa.peer.connection
        named = not self.ike or bool(connection and connection.name == self.ike)
        return named and self.ike_id in (0, sa.id)

    def children(self, sa: IkeSa) -> list[ChildSa]:
        """The Child SAs of an IKE SA that are meant."""
        return [
            child
            for child in children(sa)
            if self.child in ("", child.config.name) and self.child_id in (0, child.id)
        ]

    def child_sas(self, engine: Ike) -> list[ChildSa]:
        """All Child SAs that are meant."""
        return [child for sa in self.ike_sas(engine) for child in self.children(sa)]
