# SPDX-License-Identifier: GPL-2.0-or-later
"""The IKE daemon of a node: what it has, and what it shall do. The same for every back end.

    ike.initiate(lab, "alice", "conn1")
    ike.rekey(lab, "bob", child="conn1")
    ike.terminate(lab, "alice", ike="conn1")
    (sa,) = ike.sas(lab, "alice")
    sa.children[0].spi_in

Connections and their children are called `conn` and the number of the policy. Each call opens a
session (VICI) of its own, so daemons may be started again in between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.client import which
from lab.errors import LabError

if TYPE_CHECKING:
    from vici import Session

    from lab.client.lab import Lab

TIMEOUT = 10.0
"""Seconds that an SA may take to come or to go."""


@dataclass(frozen=True, slots=True)
class ChildSa:
    """A Child SA. `fields` is all that the daemon reports, under the names that swanctl shows."""

    name: str
    """Of its configuration."""
    id: int
    state: str
    spi_in: int
    """Of what it receives."""
    spi_out: int
    fields: Mapping[str, Any]
    """Texts, and lists of them."""


@dataclass(frozen=True, slots=True)
class IkeSa:
    """An IKE SA, as `ChildSa`."""

    name: str
    id: int
    state: str
    spis: tuple[int, int]
    """The initiator's, the responder's."""
    fields: Mapping[str, Any]
    children: tuple[ChildSa, ...]


def sas(lab: Lab, node: str) -> list[IkeSa]:
    """All IKE SAs of a node, each with its Child SAs. Raises LabError."""
    with _session(lab, node) as session:
        found = [row for message in session.list_sas() for row in message.items()]
    return [_ike_sa(name, _texts(section)) for name, section in found]


def initiate(lab: Lab, node: str, child: str, timeout: float = TIMEOUT) -> None:
    """Set up a Child SA, with an IKE SA if there is none, and wait for it. Raises LabError."""
    with _session(lab, node) as session:
        _finish(session.initiate({"child": child, "timeout": _milliseconds(timeout)}))


def rekey(lab: Lab, node: str, *, ike: str = "", child: str = "") -> None:
    """Begin to rekey an IKE SA, or a Child SA; the new one is there when `sas` shows it.

    Raises LabError.
    """
    with _session(lab, node) as session:
        session.rekey(_named(ike, child))


def reauthenticate(lab: Lab, node: str, ike: str) -> None:
    """Begin to set up another IKE SA in place of one, certificates and all (RFC 7296, 2.8.3).

    Raises LabError.
    """
    with _session(lab, node) as session:
        session.rekey({"ike": ike, "reauth": "yes"})


def terminate(
    lab: Lab, node: str, *, ike: str = "", child: str = "", timeout: float = TIMEOUT
) -> None:
    """Delete an IKE SA with all that it has, or a Child SA, and wait for it. Raises LabError."""
    request = _named(ike, child) | {"timeout": _milliseconds(timeout)}
    with _session(lab, node) as session:
        _finish(session.terminate(request))


@contextlib.contextmanager
def _session(lab: Lab, node: str) -> Iterator[Session]:
    """A session whose troubles are the lab's."""
    from vici.exception import CommandException, SessionException

    try:
        with lab.vici(node) as session:
            yield session
    except (CommandException, SessionException) as refused:
        raise LabError(f"{node}: {refused}") from refused
    except OSError as gone:
        see = which.command(lab.name, "logs", node)
        raise LabError(f"{node}: its IKE daemon has hung up: {see}") from gone


def _finish(lines: Iterator[Any]) -> None:
    """Take what the daemon logs meanwhile, until it is done."""
    for _ in lines:
        pass


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _named(ike: str, child: str) -> dict[str, str]:
    return {key: name for key, name in (("ike", ike), ("child", child)) if name}


def _texts(element: Any) -> Any:
    """Sections, lists and values with texts in place of octets."""
    if isinstance(element, Mapping):
        return {key: _texts(inner) for key, inner in element.items()}
    if isinstance(element, list):
        return [_texts(item) for item in element]
    return element.decode(errors="replace")


def _ike_sa(name: str, section: dict[str, Any]) -> IkeSa:
    children = section.pop("child-sas", {})
    return IkeSa(
        name=name,
        id=int(section["uniqueid"]),
        state=section["state"],
        spis=(int(section["initiator-spi"], 16), int(section["responder-spi"], 16)),
        fields=section,
        children=tuple(map(_child_sa, children.values())),
    )


def _child_sa(section: dict[str, Any]) -> ChildSa:
    return ChildSa(
        name=section["name"],
        id=int(section["uniqueid"]),
        state=section["state"],
        spi_in=int(section.get("spi-in", "0"), 16),
        spi_out=int(section.get("spi-out", "0"), 16),
        fields=section,
    )
