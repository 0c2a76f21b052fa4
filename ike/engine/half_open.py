# SPDX-License-Identifier: GPL-2.0-or-later
"""The limit of half-open IKE SAs: how many peers may be unauthenticated, and which are evicted.

Each costs memory, contexts of the TKM and a key exchange, and anyone can initiate one. From a
threshold on peers have to return a cookie, so those that forge addresses get no further. Peers with
real addresses must not keep others out either. At the limit somebody has to wait, and it is not
whose IKE_AUTH request is on its way, or of many clients that come at once none would get through:
a newcomer that finds no room gets no answer, repeats its request, and is served then. Room is made
only at the expense of what has failed, of what is old, and of a network that has far more than the
newcomer's.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from ike import address
from ike.engine.context import EngineContext
from ike.engine.ike_sa import IkeSa
from ike.engine.registry import Registry
from ike.engine.states import State

log = logging.getLogger("ike")

_PREFIX = 8
"""Octets of an IPv6 address that are one customer's."""
_SHARE = 8
"""One context of the TKM in so many is theirs; the others are for peers that are authenticated."""
_FAR_MORE = 2
"""So many times the newcomer's share is too large a share."""


def unauthenticated(registry: Registry[IkeSa], spis: Iterable[bytes]) -> list[IkeSa]:
    """Return the IKE SAs whose peers are not authenticated, open or closed, the oldest first.

    Args:
        registry: All IKE SAs.
        spis: Our SPIs of those that peers have initiated, in their order.
    """
    initiated = (registry.get(spi) for spi in spis)
    return [sa for sa in initiated if sa and sa.is_unauthenticated]


def make_room(
    context: EngineContext, registry: Registry[IkeSa], half_open: list[IkeSa], newcomer: str
) -> bool:
    """Return whether there is room for another one; at the limit one is evicted, if one may be.

    Args:
        context: The time and the limit.
        registry: All IKE SAs.
        half_open: Those that count, the oldest first.
        newcomer: The address of the peer that wants to initiate one.
    """
    limit = min(context.settings.half_open_limit, context.tkm.pools["isa"].limit // _SHARE)
    if len(half_open) < max(1, limit):
        return True
    sa = _dispensable(context, half_open, newcomer)
    if sa is None:
        log.info("%d peers are not authenticated, %s has to wait", len(half_open), newcomer)
        return False
    log.warning("%d peers are not authenticated, %s is evicted", len(half_open), sa.channel.remote)
    sa.close("there are too many that are not authenticated", wanted=False)
    registry.remove(sa.spi_local)
    return True


def _dispensable(context: EngineContext, half_open: list[IkeSa], newcomer: str) -> IkeSa | None:
    """Return the one that has to make room.

    Those that have failed go first: they are only kept to repeat their response. Then it is the
    oldest one of the network that has most.
    """
    failed = next((sa for sa in half_open if sa.state is State.GONE), None)
    if failed:
        return failed
    shares = Counter(_prefix(sa.channel.remote.host) for sa in half_open)
    most = max(shares.values())
    oldest = next(sa for sa in half_open if shares[_prefix(sa.channel.remote.host)] == most)
    is_old = context.now - oldest.created_at > context.settings.half_open_grace
    is_unfair = most >= _FAR_MORE * (shares[_prefix(newcomer)] + 1)
    return oldest if is_old or is_unfair else None


def _prefix(host: str) -> bytes:
    return address.pack(host)[:_PREFIX]
