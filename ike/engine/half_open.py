# SPDX-License-Identifier: GPL-2.0-or-later
"""The limit of half-open IKE SAs: how many peers may be unauthenticated, and which are evicted.

Each costs memory, contexts of the TKM and a key exchange, and anyone can initiate one. From a
threshold on peers have to return a cookie, so those that forge addresses get no further. Peers with
real addresses must not keep others out either: at the limit, one of those is evicted whose network
has the most.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from ike import address
from ike.engine.ike_sa import IkeSa
from ike.engine.registry import Registry
from ike.engine.states import State

log = logging.getLogger("ike")

_PREFIX = 8
"""Octets of an IPv6 address that are one customer's."""


def unauthenticated(registry: Registry[IkeSa], spis: Iterable[bytes]) -> list[IkeSa]:
    """Return the IKE SAs whose peers are not authenticated, open or closed, the oldest first.

    Args:
        registry: All IKE SAs.
        spis: Our SPIs of those that peers have initiated, in their order.
    """
    initiated = (registry.get(spi) for spi in spis)
    return [sa for sa in initiated if sa and sa.is_unauthenticated]


def evict(registry: Registry[IkeSa], half_open: list[IkeSa], limit: int) -> None:
    """Close one of ``half_open`` if the limit is reached.

    Those that have failed go first: they are only kept to repeat their response.
    """
    if len(half_open) < limit:
        return
    most = Counter(map(_prefix, half_open))
    sa = min(half_open, key=lambda sa: (sa.state is not State.GONE, -most[_prefix(sa)]))
    log.warning("%d peers are not authenticated, %s is evicted", len(half_open), sa.channel.remote)
    sa.close("there are too many that are not authenticated", wanted=False)
    registry.remove(sa.spi_local)


def _prefix(sa: IkeSa) -> bytes:
    return address.pack(sa.channel.remote.host)[:_PREFIX]
