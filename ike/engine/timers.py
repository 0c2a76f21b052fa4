# SPDX-License-Identifier: GPL-2.0-or-later
"""What is due on an IKE SA by time alone: repetition, renewal, liveness, keepalives, its end."""

import logging

from ike.engine.acquires import Acquires
from ike.engine.ike_sa import IkeSa
from ike.engine.informational import Liveness, delete_ike_sa
from ike.engine.registry import Registry
from ike.engine.rekey_ike_sa import RekeyIkeSa
from ike.engine.states import State
from ike.errors import UnknownName

log = logging.getLogger("ike")


def next_timer(sa: IkeSa) -> float | None:
    """Return when :func:`handle_timer` has something to do. It is called often."""
    if sa.state is State.GONE:
        return sa.deadline
    times = (
        sa.channel.requests.deadline,
        sa.deadline,
        sa.lifetime.next_timer(),
        _liveness_at(sa),
        _keepalive_at(sa),
        sa.queue.due(),
        sa.pending.deadline if sa.pending else None,
    )
    return min([time for time in times if time is not None], default=None)


def _liveness_at(sa: IkeSa) -> float | None:
    """Return when to ask the peer for a sign of life."""
    idle = sa.state is State.ESTABLISHED and sa.queue.is_empty
    delay = sa.peer.connection.dpd_delay if idle and sa.peer.connection else 0
    return sa.last_heard + delay if delay else None


def _keepalive_at(sa: IkeSa) -> float | None:
    """Return when to send a keepalive to our NAT."""
    if sa.state is not State.ESTABLISHED:
        return None
    return sa.route.keepalive_at(sa.context.settings.keepalive)


def handle_timer(sa: IkeSa, registry: Registry[IkeSa], acquires: Acquires) -> None:
    """Do what is due; the time that :func:`next_timer` gave has come.

    Args:
        sa: The IKE SA.
        registry: All IKE SAs.
        acquires: Sets up an IKE SA that reauthenticates this one.
    """
    now, repetition = sa.context.now, sa.channel.requests.deadline
    sa.touch()
    if sa.pending and sa.pending.deadline <= now:
        sa.expect(None)
    if sa.deadline is not None and sa.deadline <= now:
        _overdue(sa, registry)
        return
    if repetition is not None and repetition <= now and not sa.channel.repeat():
        reason = sa.queue.tentative_error or f"no answer from {sa.channel.remote}"
        sa.close(str(reason), wanted=sa.state is State.DELETING)
        return
    _renew(sa, acquires)
    liveness = _liveness_at(sa)
    if liveness is not None and liveness <= now:
        sa.enqueue(Liveness())
    keepalive = _keepalive_at(sa)
    if keepalive is not None and keepalive <= now:
        sa.channel.keep_alive()


def _renew(sa: IkeSa, acquires: Acquires) -> None:
    now = sa.context.now
    if sa.lifetime.is_due("over_at", now):
        delete_ike_sa(sa, "its lifetime is over")
    if sa.lifetime.is_due("rekey_at", now):
        sa.enqueue(RekeyIkeSa())
    if sa.lifetime.is_due("reauthenticate_at", now):
        try:
            acquires.reauthenticate(sa)
        except UnknownName as error:
            log.info("%s", error)


def _overdue(sa: IkeSa, registry: Registry[IkeSa]) -> None:
    sa.clear_deadline()
    if sa.state is State.GONE:
        registry.remove(sa.spi_local)
    elif sa.state in (State.ESTABLISHED, State.REKEYED):
        delete_ike_sa(sa, "another has its place")
    else:
        sa.close("the peer took too long", wanted=False)
