# SPDX-License-Identifier: GPL-2.0-or-later
"""Waits for another TKM after one has ended; all SAs are void with it.

The sockets stay as they are, for we may have given up the right to make them. What the kernel has
outlives the TKM; the next one takes it away when it starts.
"""

import logging
import os
import selectors
import time
from collections.abc import Callable

from ike.daemon.service import Service
from ike.engine import own_keys
from ike.errors import LocalError
from ike.tkm_client import TkmClient
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.result import RpcError
from tkm.rpc.rpc2 import RPC2

log = logging.getLogger("ike")

_INTERVAL = 0.2
"""Seconds between two tries to connect."""


class TkmReconnect:
    """Watches the connection to the TKM, as one of a service's timers.

    Args:
        transport: The connection; from now on ours to close.
        connect: Connects to the next TKM; raises ``Disconnected`` while there is none.
    """

    def __init__(
        self,
        service: Service,
        tkm: TkmClient,
        transport: SocketTransport,
        connect: Callable[[], SocketTransport],
    ) -> None:
        self._service = service
        self._tkm = tkm
        self._transport = transport
        self._connect = connect
        self._due: float | None = None
        self._reason = ""
        self._watch()
        service.timers.append(self)

    def _watch(self) -> None:
        # A descriptor of our own: the transport closes its one when it breaks, and that number may
        # be another socket's before we are here.
        self._watched = os.dup(self._transport.fileno())
        self._service.selector.register(self._watched, selectors.EVENT_READ, self._tkm.lose)

    def _unwatch(self) -> None:
        self._service.selector.unregister(self._watched)
        os.close(self._watched)
        self._transport.close()

    def next_timer(self) -> float | None:
        """When to look for a TKM; ``None``: we have one."""
        return time.monotonic() if self._tkm.is_lost and self._due is None else self._due

    def handle_timer(self, now: float) -> None:
        """Close the connection to a TKM that has ended; try to connect to the next one."""
        if self._due is None:
            if self._tkm.is_lost:
                self._disconnect(now)
        elif now >= self._due:
            self._due = None if self._connects() else now + _INTERVAL

    def _disconnect(self, now: float) -> None:
        log.warning("the TKM is gone, and with it all SAs; waiting for another one")
        self._unwatch()
        self._service.engine.close("the TKM is gone", now)
        self._due = now + _INTERVAL

    def _connects(self) -> bool:
        """Whether there is a TKM that answers in our generation of the protocol, with our keys."""
        try:
            self._transport = self._connect()
            self._tkm.attach(Client(RPC2, self._transport))
            own_keys.check(self._tkm, self._service.engine.context.configuration.connections)
        except (RpcError, LocalError) as error:
            self._tkm.lose()
            self._transport.close()
            self._report(str(error))
            return False
        self._watch()
        self._reason = ""
        log.info("there is a TKM again")
        return True

    def _report(self, reason: str) -> None:
        """Log why there is no TKM yet: once, not at every try."""
        if reason != self._reason:
            log.info("still no TKM: %s", reason)
        self._reason = reason

    def close(self) -> None:
        """Close the connection."""
        if self._due is None:
            self._unwatch()
