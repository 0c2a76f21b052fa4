# SPDX-License-Identifier: GPL-2.0-or-later
"""The ESA event service: passes the kernel events that xfrm_proxy reports on to the engine."""

import time

from ike.engine.engine import Ike
from ike.errors import UnknownName
from tkm.rpc.ees import EES, EsaAcquire, EsaExpire
from tkm.rpc.record import Empty
from tkm.rpc.result import HandlerError, Result
from tkm.rpc.server import Dispatcher


class _UnknownPolicy(HandlerError):
    result = Result.INVALID_ID


def dispatcher(engine: Ike) -> Dispatcher:
    """Acquire and expire, ready to be served."""

    def acquire(request: EsaAcquire) -> Empty:
        try:
            engine.acquire(request.sp_id, time.monotonic())
        except UnknownName as error:
            raise _UnknownPolicy(str(error)) from error
        return Empty()

    def expire(request: EsaExpire) -> Empty:
        engine.expire(request.sp_id, request.spi_rem, hard=request.hard, now=time.monotonic())
        return Empty()

    return Dispatcher(EES, {EsaAcquire: acquire, EsaExpire: expire})
