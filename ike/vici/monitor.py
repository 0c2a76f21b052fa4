# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to SAs, as messages for the clients that have registered for it.

An SA whose place another takes is rekeyed, and neither goes down nor does the other come up. When
an event is taken, its Child SA may be gone from the engine; so those that are up are kept here.
"""

from collections.abc import Iterator

from ike.engine.child_sa import ChildSa
from ike.engine.engine import Ike
from ike.engine.events import (
    ChildSaInstalled,
    ChildSaRemoved,
    Event,
    IkeSaClosed,
    IkeSaEstablished,
    IkeSaRekeyed,
)
from ike.engine.ike_sa import IkeSa
from ike.vici import sas
from ike.vici.message import Section

Message = tuple[str, Section]
"""An event's name and message."""


class Monitor:
    """Knows what is up."""

    def __init__(self, engine: Ike) -> None:
        self._engine = engine
        self._up: dict[int, IkeSa] = {}
        self._children: dict[bytes, ChildSa] = {}

    def take(self, event: Event, now: float) -> Iterator[Message]:
        """Return the message that clients get for an event, if there is one."""
        if isinstance(event, IkeSaEstablished):
            yield from self._established(event, now)
        elif isinstance(event, IkeSaRekeyed):
            yield from self._rekeyed(event, now)
        elif isinstance(event, IkeSaClosed):
            if sa := self._up.pop(event.id, None):
                yield "ike-updown", {sas.connection_name(sa): sas.ike_sa(sa, now)}
        elif isinstance(event, ChildSaInstalled):
            yield from self._installed(event, now)
        elif isinstance(event, ChildSaRemoved):
            child = self._children.pop(event.spi_local, None)
            if child and (sa := self._find(event.ike_sa)):
                yield "child-updown", sas.whole(sa, [child], now)

    def _find(self, number: int) -> IkeSa | None:
        """An IKE SA, even if it is over but for repetitions; mostly it is one of the youngest."""
        youngest = reversed(list(self._engine.registry.values()))
        return next((sa for sa in youngest if sa.id == number), None)

    def _established(self, event: IkeSaEstablished, now: float) -> Iterator[Message]:
        if sa := self._find(event.id):
            self._up[sa.id] = sa
            yield "ike-updown", {"up": "yes", sas.connection_name(sa): sas.ike_sa(sa, now)}

    def _rekeyed(self, event: IkeSaRekeyed, now: float) -> Iterator[Message]:
        old, new = self._up.pop(event.id, None), self._find(event.successor)
        if old and new:
            self._up[new.id] = new
            both: Section = {"old": sas.ike_sa(old, now), "new": sas.ike_sa(new, now)}
            yield "ike-rekey", {sas.connection_name(new): both}

    def _installed(self, event: ChildSaInstalled, now: float) -> Iterator[Message]:
        sa, child = self._find(event.ike_sa), self._engine.context.children.get(event.spi_local)
        if sa is None or child is None:
            return
        self._children[event.spi_local] = child
        old = self._children.pop(event.rekeyed, None)
        if old:
            both: Section = {"old": sas.child_sa(old, now), "new": sas.child_sa(child, now)}
            children: Section = {sas.child_name(old): both}
            whole: Section = {**sas.ike_sa(sa, now), "child-sas": children}
            yield "child-rekey", {sas.connection_name(sa): whole}
        else:
            yield "child-updown", {"up": "yes", **sas.whole(sa, [child], now)}
