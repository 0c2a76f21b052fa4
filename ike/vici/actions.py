# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that set up, delete and rekey SAs."""

import logging
from collections.abc import Iterable

from ike.config.model import ChildConfig
from ike.engine.events import ChildSaFailed, ChildSaInstalled, ChildSaRemoved, Event, IkeSaClosed
from ike.engine.ike_sa import IkeSa
from ike.engine.states import State
from ike.vici.answers import Job, failure, is_set, success, value
from ike.vici.control import Control
from ike.vici.errors import Refused
from ike.vici.message import Section
from ike.vici.selection import Selection

log = logging.getLogger("ike")

_REASON = "terminated by a client"


def initiate(control: Control, request: Section) -> Job:
    """Set up a Child SA if there is none, with an IKE SA if there is none."""
    return Initiation(_configured(control, request), request, control.clock())


def _configured(control: Control, request: Section) -> ChildConfig:
    name, ike = value(request, "child"), value(request, "ike")
    if not name:
        raise Refused("an IKE_SA comes with a CHILD_SA: name it (child)")
    for connection in control.configuration.connections:
        for child in connection.children:
            if child.name == name and ike in ("", connection.name):
                return child
    raise Refused(f"CHILD_SA config '{name}' not found")


class Initiation(Job):
    """Until a Child SA is installed, or has failed; one that is installed already is enough."""

    def __init__(self, child: ChildConfig, request: Section, now: float) -> None:
        super().__init__(request, now)
        self._child = child

    def begin(self, control: Control) -> None:
        if not control.engine.initiate(self._child.reqid, control.clock()):
            log.info("CHILD_SA %s is established already", self._child.name)
            self.reply = success()

    def take(self, event: Event) -> None:
        name, reqid = self._child.name, self._child.reqid
        if isinstance(event, ChildSaInstalled) and event.reqid == reqid and not event.rekeyed:
            self.reply = success()
        elif isinstance(event, ChildSaFailed) and event.config == self._child:
            self.reply = failure(f"establishing CHILD_SA '{name}' failed: {event.reason}")

    def expire(self) -> None:
        self.reply = failure(f"CHILD_SA '{self._child.name}' not established in time")


def terminate(control: Control, request: Section) -> Job:
    """Delete IKE SAs, or Child SAs."""
    wanted = _selection(request)
    kind = ChildTermination if wanted.of_children else IkeTermination
    return kind(wanted, request, control.clock())


def _selection(request: Section) -> Selection:
    wanted = Selection.of(request)
    if wanted.is_empty:
        raise Refused("name what: ike, ike-id, child or child-id")
    return wanted


class Termination(Job):
    """Until all SAs that are meant are gone."""

    def __init__(self, wanted: Selection, request: Section, now: float) -> None:
        super().__init__(request, now)
        self._wanted = wanted
        self._force = is_set(request, "force")
        self._waiting: set[int | bytes] = set()
        self._matches = 0

    def _wait_for(self, sas: Iterable[int | bytes]) -> None:
        self._waiting = set(sas)
        self._matches = len(self._waiting)
        if not self._waiting:
            self.reply = failure("no matching SAs to terminate found", **self._counts())

    def _gone(self, sa: int | bytes) -> None:
        self._waiting.discard(sa)
        if not self._waiting and self.reply is None:
            self.reply = success(**self._counts())

    def expire(self) -> None:
        reason = f"{len(self._waiting)} of the SAs not terminated in time"
        self.reply = failure(reason, **self._counts())

    def _counts(self) -> dict[str, str]:
        terminated = self._matches - len(self._waiting)
        return {"matches": str(self._matches), "terminated": str(terminated)}


class IkeTermination(Termination):
    """Of IKE SAs, by their numbers."""

    def begin(self, control: Control) -> None:
        chosen = self._wanted.ike_sas(control.engine)
        self._wait_for(sa.id for sa in chosen)
        for sa in chosen:
            control.engine.delete_ike_sa(sa.id, _REASON, control.clock(), force=self._force)

    def take(self, event: Event) -> None:
        if isinstance(event, IkeSaClosed):
            self._gone(event.id)


class ChildTermination(Termination):
    """Of Child SAs, by our inbound SPIs."""

    def begin(self, control: Control) -> None:
        spis = [child.spi_local for child in self._wanted.child_sas(control.engine)]
        self._wait_for(spis)
        for spi in spis:
            control.engine.delete_child_sa(spi, _REASON, control.clock())

    def take(self, event: Event) -> None:
        if isinstance(event, ChildSaRemoved):
            self._gone(event.spi_local)


def rekey(control: Control, request: Section) -> Section:
    """Begin to rekey Child SAs, or to rekey or reauthenticate IKE SAs."""
    wanted = _selection(request)
    engine, now = control.engine, control.clock()
    renew = engine.reauthenticate if is_set(request, "reauth") else engine.rekey_ike_sa
    if wanted.of_children:
        spis = [child.spi_local for child in wanted.child_sas(engine)]
        for spi in spis:
            engine.rekey_child_sa(spi, now)
        matches = len(spis)
    else:
        chosen = list(filter(_can_be_rekeyed, wanted.ike_sas(engine)))
        for sa in chosen:
            renew(sa.id, now)
        matches = len(chosen)
    if not matches:
        return failure("no matching SAs to rekey found", matches="0")
    return success(matches=str(matches))


def _can_be_rekeyed(sa: IkeSa) -> bool:
    return sa.state is State.ESTABLISHED
