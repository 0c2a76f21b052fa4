# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that have not shown who they are: how many there may be, and who makes room for others.

Each costs memory, contexts of the TKM and a key exchange, and anybody can begin one. From a
threshold on they have to return a cookie, so forged addresses get no further. Those that are real
still may not keep others out: when the house is full, somebody leaves, and it is one of those that
have the most in there already.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from ike import address
from ike.engine.context import EngineContext
from ike.engine.ike_sa import IkeSa
from ike.engine.states import State

log = logging.getLogger("ike")

_PREFIX = 8
"""Octets of an IPv6 address that are one customer's."""


def unproven(context: EngineContext, spis: Iterable[bytes]) -> list[IkeSa]:
    """The IKE SAs of peers that have not shown who they are, over or not, the oldest first.

    :param spis: of all that peers have begun, in their order.
    """
    begun = (context.sas.get(spi) for spi in spis)
    # Their first message is kept for as long as AUTH does not cover it.
    return [sa for sa in begun if sa and sa.channel.init_remote]


def evict(context: EngineContext, half_open: list[IkeSa]) -> None:
    """Let one of ``crowd`` go if there are as many as there may be.

    Those that have failed go first: they only wait to say so once more.
    """
    if len(half_open) < context.settings.half_open_limit:
        return
    most = Counter(map(_neighbourhood, half_open))
    sa = min(half_open, key=lambda sa: (sa.state is not State.GONE, -most[_neighbourhood(sa)]))
    log.warning("%d peers are not authenticated, %s makes room", len(half_open), sa.channel.remote)
    sa.close("there are too many that are not authenticated", wanted=False)
    del context.sas[sa.channel.spi_local]


def _neighbourhood(sa: IkeSa) -> bytes:
    return address.pack(sa.channel.remote.host)[:_PREFIX]
