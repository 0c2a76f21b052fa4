# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket of the control interface: any number of clients, in the event loop of the daemon.

Clients are root and our own user. One that sends half a packet, or does not read, waits for itself
alone.
"""

import logging
import os
import selectors
import socket
from pathlib import Path

from ike.engine.events import Event
from ike.vici.control import Control
from ike.vici.errors import BrokenPacket
from ike.vici.log import LogHandler
from ike.vici.message import Section
from ike.vici.monitor import Monitor
from ike.vici.session import Session
from tkm.rpc.listener import Listener
from tkm.rpc.server import describe_fault

log = logging.getLogger("ike")

_MOST_AT_ONCE = 65536
"""Octets taken from a client before others have their turn."""
SOCKET = "/var/run/charon.vici"
"""Where swanctl and the ``vici`` libraries look."""


class ViciServer:
    """Serves the control interface on a Unix socket.

    Raises:
        OSError: Another process serves it, or the name cannot be used.
    """

    def __init__(self, path: str, control: Control) -> None:
        self.path = Path(path)
        self._control = control
        self._selector = control.service.selector
        self._monitor = Monitor(control.engine)
        self._sessions: dict[socket.socket, Session] = {}
        self._buffer = bytearray(_MOST_AT_ONCE)
        self._listener = Listener(path, allowed=lambda pid, uid, gid: uid in (0, os.geteuid()))
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._handler = LogHandler(self._on_log)
        self._handler.addFilter(control.service.limiter)
        log.addHandler(self._handler)
        control.service.listeners.append(self._on_event)
        control.service.timers.append(self)

    # Clients

    def _accept(self) -> None:
        client = self._listener.accept()
        if client is None:
            return
        self._sessions[client] = Session(self._control)
        self._selector.register(client, selectors.EVENT_READ, lambda: self._serve(client))

    def _serve(self, client: socket.socket) -> None:
        session = self._sessions.get(client)
        if session is None:
            return  # hung up on in this very turn
        try:
            if not session.to_send:
                length = client.recv_into(self._buffer)
                if not length:
                    self._hang_up(client)
                    return
                received = memoryview(self._buffer)[:length]
                try:
                    session.feed(received)
                finally:
                    received[:] = bytes(length)  # it may have been a secret
            if session.to_send:
                del session.to_send[: client.send(session.to_send)]
            session.proceed()
        except BlockingIOError:
            pass
        except BrokenPacket as error:
            self._hang_up(client, error)
            return
        except OSError:
            self._hang_up(client)
            return
        except Exception as error:
            log.error("VICI client hung up on, internal error: %s", describe_fault(error))
            self._hang_up(client)
            return
        self._watch(client)

    def _watch(self, client: socket.socket) -> None:
        """Wait until a client reads, if there is something for it; otherwise until it writes."""
        if client not in self._sessions:
            return
        event = selectors.EVENT_WRITE if self._sessions[client].to_send else selectors.EVENT_READ
        key = self._selector.get_key(client)
        if key.events != event:
            self._selector.modify(client, event, key.data)

    def _hang_up(self, client: socket.socket, error: BrokenPacket | None = None) -> None:
        if self._sessions.pop(client, None) is None:
            return
        self._selector.unregister(client)
        client.close()
        if error:
            log.warning("vici: hung up on a client: %s", error)

    # Events

    def _tell(self, client: socket.socket, event: str, section: Section) -> None:
        session = self._sessions.get(client)
        if session is None:
            return  # its connection was closed while the others got the event
        try:
            session.tell(event, section)
        except BrokenPacket as error:
            self._hang_up(client, error)
        self._watch(client)

    def _on_event(self, event: Event) -> None:
        for name, section in self._monitor.take(event, self._control.clock()):
            for client in list(self._sessions):
                self._tell(client, name, section)
        for session in self._sessions.values():
            session.take(event)
        self._proceed()

    def _on_log(self, level: int, section: Section) -> None:
        for client, session in list(self._sessions.items()):
            self._tell(client, "log", section)
            if session.job and level <= session.job.level:
                self._tell(client, "control-log", section)

    def _proceed(self) -> None:
        """Answer what can be answered now."""
        for client, session in list(self._sessions.items()):
            if session.job is None:
                continue
            try:
                session.proceed()
            except BrokenPacket as error:
                self._hang_up(client, error)
            self._watch(client)

    # Time

    def next_timer(self) -> float | None:
        """When :meth:`handle_timer` has something to do."""
        jobs = [session.job for session in self._sessions.values() if session.job]
        times = [job.deadline for job in jobs if job.deadline is not None]
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Answer clients whose deadline has passed."""
        for session in self._sessions.values():
            session.expire(now)
        self._proceed()

    def close(self) -> None:
        """Close all connections; remove the socket's name unless another process has it."""
        log.removeHandler(self._handler)
        for client in list(self._sessions):
            self._hang_up(client)
        self._selector.unregister(self._listener)
        self._listener.close()
