# SPDX-License-Identifier: GPL-2.0-or-later
"""NAT detection (RFC 7296, 2.23)."""

import hashlib
from collections.abc import Sequence

from ike.address import Endpoint
from ike.message.message import Message
from ike.message.notify import Notify
from ike.message.numbers import NotifyType


def payloads(spis: tuple[bytes, bytes], source: Endpoint, destination: Endpoint) -> list[Notify]:
    """The two Notifies that tell the peer which addresses and ports we see.

    :param spis: of the IKE SA's initiator and responder, as in the header of this message.
    """
    return [
        Notify(NotifyType.NAT_DETECTION_SOURCE_IP, _digest(spis, source)),
        Notify(NotifyType.NAT_DETECTION_DESTINATION_IP, _digest(spis, destination)),
    ]


def detect(message: Message, local: Endpoint, remote: Endpoint) -> Sequence[Endpoint]:
    """Those of the two ends that are behind a NAT, by what the peer's message says it saw."""
    spis = (message.header.spi_i, message.header.spi_r)
    ends = {
        NotifyType.NAT_DETECTION_SOURCE_IP: remote,
        NotifyType.NAT_DETECTION_DESTINATION_IP: local,
    }
    found = []
    for kind, end in ends.items():
        seen = {notify.data for notify in message.all(Notify) if notify.kind == kind}
        if seen and _digest(spis, end) not in seen:
            found.append(end)
    return found


def _digest(spis: tuple[bytes, bytes], end: Endpoint) -> bytes:
    return hashlib.sha1(b"".join(spis) + end.packed(), usedforsecurity=False).digest()
