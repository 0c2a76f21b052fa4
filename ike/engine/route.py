# SPDX-License-Identifier: GPL-2.0-or-later
"""The path of an IKE SA's datagrams, and the NATs on it (RFC 7296, 2.11 and 2.23; RFC 3948).

On port 500 there is nothing but IKE. On port 4500 IKE shares the way with ESP, and begins with four
zero octets, the non-ESP marker, where ESP has its SPI; and a single octet of ones, which is
not answered, keeps the mapping of a NAT.
"""

from typing import NamedTuple

from ike.address import Endpoint, Path

NON_ESP_MARKER = bytes(4)
KEEPALIVE = b"\xff"


class Ports(NamedTuple):
    """Our two UDP ports, and those of a peer that is not behind a NAT."""

    ike: int = 500
    nat: int = 4500

    def wrap(self, message: bytes, local: Endpoint) -> bytes:
        """The UDP payload of an IKE message that we send from ``local``."""
        return NON_ESP_MARKER + message if local.port == self.nat else message

    def unwrap(self, payload: bytes, local: Endpoint) -> bytes | None:
        """The IKE message in a UDP payload that has come to ``local``; ``None``: there is none."""
        if local.port != self.nat:
            return payload
        return payload[4:] if payload.startswith(NON_ESP_MARKER) else None


PORTS = Ports()
"""As IANA has assigned them."""


class Nats(NamedTuple):
    """The NATs between two hosts.

    Attributes:
        local: We are behind one.
        remote: The peer is.
        faked: We make the peer believe that we are (``encap = yes``).
    """

    local: bool = False
    remote: bool = False
    faked: bool = False


class Route:
    """The way to the peer: shared by the IKE SAs that take each other's place.

    Attributes:
        path: Our end and the peer's, as we see them.
        nats: What is between them.
        sent_at: When something was last sent along it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.nats = Nats()
        self.sent_at = 0.0

    @property
    def encap(self) -> tuple[int, ...]:
        """The UDP ports of ESP, ours and the peer's; none if it needs no UDP."""
        return (self.path.local.port, self.path.remote.port) if any(self.nats) else ()

    def float_to(self, ports: Ports) -> None:
        """There is a NAT: the initiator continues from port 4500, to port 4500."""
        local, remote = self.path
        if any(self.nats) and local.port == ports.ike:
            self.path = Path(local._replace(port=ports.nat), remote._replace(port=ports.nat))

    def detected(self, nats: Nats) -> None:
        """Note the NATs that were detected."""
        self.nats = nats

    def move(self, path: Path) -> None:
        """Go along another path from now on."""
        self.path = path

    def sent(self, now: float) -> None:
        """Note that something was sent."""
        self.sent_at = now

    def may_move(self) -> bool:
        """The peer's address and port are its NAT's, which may change.

        Behind a NAT ourselves we never follow: a single datagram that an attacker forwards from
        elsewhere could redirect us permanently.
        """
        return self.nats.remote and not self.nats.local

    def keepalive_at(self, interval: float) -> float | None:
        """When our NAT has to be reminded of us; ``None``: it does not."""
        return self.sent_at + interval if self.nats.local and interval else None
