# SPDX-License-Identifier: GPL-2.0-or-later
"""NAT detection (RFC 7296, 2.23)."""

import hashlib
import logging
from collections.abc import Iterable

from ike.address import Endpoint, Path
from ike.config.model import Connection
from ike.engine.route import Nats, Route
from ike.message.message import Message
from ike.message.numbers import NotifyType
from ike.message.payloads import Notify

log = logging.getLogger("ike")

_NOWHERE = 0
"""A port that is never a source port."""


def payloads(spis: tuple[bytes, bytes], path: Path, *, faked: bool = False) -> list[Notify]:
    """Return the two Notifies with the addresses and ports that we see.

    Args:
        spis: Of the IKE SA's initiator and responder, as in the header of this message.
        faked: Let the peer believe that we are behind a NAT.
    """
    source = path.local._replace(port=_NOWHERE) if faked else path.local
    return [
        Notify(NotifyType.NAT_DETECTION_SOURCE_IP, _digest(spis, source)),
        Notify(NotifyType.NAT_DETECTION_DESTINATION_IP, _digest(spis, path.remote)),
    ]


def detect(message: Message, path: Path) -> Nats | None:
    """Return where there is a NAT, by the addresses and ports that the peer has seen.

    Args:
        path: Along which the message has come.

    Returns:
        ``None`` if the message has no such Notifies: the peer cannot traverse a NAT.
    """
    spis = (message.header.spi_i, message.header.spi_r)
    behind = []
    for kind, end in (
        (NotifyType.NAT_DETECTION_DESTINATION_IP, path.local),
        (NotifyType.NAT_DETECTION_SOURCE_IP, path.remote),
    ):
        seen = {notify.data for notify in message.all(Notify) if notify.kind == kind}
        if not seen:
            return None
        behind.append(_digest(spis, end) not in seen)
    return Nats(*behind)


def is_faked(connections: Iterable[Connection]) -> bool:
    """Return whether one of the connections wants ESP in UDP in any case (``encap = yes``)."""
    return any(connection.encap for connection in connections)


def learn(route: Route, message: Message, *, faked: bool) -> None:
    """Note the NATs on a route, by the peer's IKE_SA_INIT message.

    Args:
        route: The route that the message has come along.
        message: The message.
        faked: Let the peer believe that we are behind a NAT.
    """
    found = detect(message, route.path)
    if found is None:
        return
    if found.local:
        log.info("local host is behind NAT, sending keep alives")
    if found.remote:
        log.info("remote host is behind NAT")
    route.detected(found._replace(faked=faked))
    if faked:
        log.info("faking NAT situation to enforce UDP encapsulation")


def _digest(spis: tuple[bytes, bytes], end: Endpoint) -> bytes:
    return hashlib.sha1(b"".join(spis) + end.packed(), usedforsecurity=False).digest()
