# SPDX-License-Identifier: GPL-2.0-or-later
"""A NAT in front of a host: rewrites addresses and ports, and forgets."""

from ike.address import Endpoint
from ike.engine.context import Datagram

OUTSIDE = {"alice": "203.0.113.1", "bob": "198.51.100.2"}
OUTSIDE6 = {"alice": "2001:db8:1::1", "bob": "2001:db8:2::2"}
_FIRST_PORT = 20000


class NatBox:
    """What leaves ``inside`` comes from ``outside``, and what comes in answer goes back there.

    :param forwards: the ports outside are those inside, and stay open: for a host that responds.
    """

    def __init__(self, inside: str, outside: str, *, forwards: bool) -> None:
        self.inside = inside
        self.outside = outside
        self.forwards = forwards
        self._next_port = _FIRST_PORT
        self._ports: dict[int, int] = {}
        """Outside by inside."""

    def port(self, inside: int) -> int:
        """The port outside that stands for one inside, for the first time or still."""
        if self.forwards:
            return inside
        if inside not in self._ports:
            self._ports[inside] = self._next_port
            self._next_port += 1
        return self._ports[inside]

    def forget(self) -> None:
        """All mappings are gone; there will be others."""
        self._ports.clear()

    def leave(self, datagram: Datagram) -> Datagram:
        """As it is on the other side; what is not ours is as it was."""
        if datagram.local.host != self.inside:
            return datagram
        return datagram._replace(local=Endpoint(self.outside, self.port(datagram.local.port)))

    def enter(self, datagram: Datagram) -> Datagram | None:
        """As it gets to the host; ``None`` if nobody has asked for it."""
        if datagram.remote.host != self.outside:
            return datagram
        open_ports = {port: port for port in (500, 4500)} if self.forwards else self._ports
        for inside, outside in open_ports.items():
            if outside == datagram.remote.port:
                return datagram._replace(remote=Endpoint(self.inside, inside))
        return None
