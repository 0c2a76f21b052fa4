# SPDX-License-Identifier: GPL-2.0-or-later
"""The lifetime of a Child SA is over, or soon will be. The TKM sets it, the kernel counts."""

import logging

from ike.engine.child_sa import ChildSa
from ike.engine.context import EngineContext
from ike.engine.ike_sa import IkeSa
from ike.engine.informational import DeleteChildSa
from ike.engine.registry import Registry
from ike.engine.rekey_child_sa import RekeyChildSa
from ike.engine.states import ChildState, State

log = logging.getLogger("ike")

_RECEIVED = "ees: expire received for reqid %d, spi %x"


def expire(
    context: EngineContext, registry: Registry[IkeSa], reqid: int, spi: bytes, *, hard: bool
) -> None:
    """One of the two states of a Child SA has expired. What is logged is what charon logs.

    Both states report; the outbound one is what counts while they are soft, so that there is one
    rekeying and not two. What is hard is gone from the kernel, whichever it is.
    """
    for child in list(context.children.values()):
        outbound = child.spi_remote == spi
        if child.config.reqid != reqid or not (outbound or child.spi_local == spi):
            continue
        if sa := current(registry, child):
            end = sa.channel.remote if outbound else sa.channel.local
            log.info(f"{_RECEIVED}, dst %s", reqid, int.from_bytes(spi, "big"), end.host)
            _act(sa, child, end.host, spi, hard=hard, outbound=outbound)
        return
    log.info(f"{_RECEIVED}: there is no such CHILD_SA", reqid, int.from_bytes(spi, "big"))


def _act(sa: IkeSa, child: ChildSa, host: str, spi: bytes, *, hard: bool, outbound: bool) -> None:
    job = "creating %s job for CHILD_SA ESP/0x%s/%s"
    if hard:
        log.info(job, "delete", spi.hex(), host)
        child.hand_over()
        sa.enqueue(DeleteChildSa(child, "its lifetime is over"))
    elif outbound and child.state is ChildState.INSTALLED:
        log.info(job, "rekey", spi.hex(), host)
        sa.enqueue(RekeyChildSa(child))


def current(registry: Registry[IkeSa], child: ChildSa) -> IkeSa | None:
    """The IKE SA on which something can be done about a Child SA."""
    return next(
        (
            sa
            for sa in registry.values()
            if sa.state is State.ESTABLISHED and child.spi_local in sa.peer.children
        ),
        None,
    )
