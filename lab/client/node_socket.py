# SPDX-License-Identifier: GPL-2.0-or-later
"""The front end's side of a connection to a Unix socket in a node."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.protocol.channel import Channel, raise_error

if TYPE_CHECKING:
    from vici import Session

VICI = "/run/charon.vici"
"""Where the IKE daemon of a node listens for control, whichever it is."""


@contextlib.contextmanager
def vici_session(channel: Channel, node: str) -> Iterator[Session]:
    """A session with the IKE daemon of a node; it takes over the channel, and closes it.

    Raises LabError: nothing accepts there.
    """
    with contextlib.closing(channel):
        import vici  # for this alone

        yield vici.Session(NodeSocket(channel, node, VICI))


class NodeSocket:
    """As much of a connected `socket.socket` as a client library needs."""

    def __init__(self, channel: Channel, node: str, path: str) -> None:
        """Take over a channel, and connect.

        Raises LabError: nothing accepts there.
        """
        self._channel = channel
        self._rest = b""
        self._ended = False
        channel.send({"do": "dial", "node": node, "socket": path})
        raise_error(channel.receive().body)

    def sendall(self, octets: bytes) -> None:
        """Send octets. Raises Hangup: the lab is gone."""
        self._channel.send({"octets": True}, octets)

    def recv(self, most: int) -> bytes:
        """Up to so many octets, at least one; none when the server has hung up.

        Raises TimeoutError; Hangup: the lab is gone.
        """
        if not self._rest and not self._ended:
            self._rest = self._channel.receive().octets
            self._ended = not self._rest
        octets, self._rest = self._rest[:most], self._rest[most:]
        return octets

    def gettimeout(self) -> float | None:
        """Seconds that `recv` waits; None: without end."""
        return self._channel.socket.gettimeout()

    def settimeout(self, seconds: float | None) -> None:
        """Set how long `recv` waits."""
        self._channel.socket.settimeout(seconds)

    def shutdown(self, _how: int) -> None:
        """Nothing: `close` ends both directions."""

    def close(self) -> None:
        """Hang up."""
        self._channel.close()
