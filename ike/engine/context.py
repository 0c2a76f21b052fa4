# SPDX-License-Identifier: GPL-2.0-or-later
"""What all IKE SAs of an engine share: the TKM, the configuration, random numbers, the time.

Time and random numbers come from outside, so that a run can be repeated exactly.
"""

from collections.abc import Callable
from typing import NamedTuple

from ike.address import Endpoint, Path
from ike.config.model import Configuration
from ike.engine.child_sa import ChildSa
from ike.engine.events import Event
from ike.engine.handover import Handovers
from ike.engine.route import KEEPALIVE, PORTS, Ports
from ike.engine.window import Datagrams, Retransmission
from ike.message.header import Header
from ike.tkm_client import TkmClient
from ike.value import Value


class Datagram(NamedTuple):
    """A UDP payload to send.

    Attributes:
        proven: It is for a peer that we have chosen, or that is authenticated. Any other address
            may be forged; what is sent there must not use up what the others need.
    """

    local: Endpoint
    remote: Endpoint
    octets: bytes
    proven: bool = True


class Arrival(NamedTuple):
    """An IKE message, or a fragment of one, that has come.

    Attributes:
        first: Type of its first payload.
        octets: All of it, as it begins with the header.
    """

    header: Header
    first: int
    octets: bytes
    path: Path


class Settings(Value):
    """Time limits and bounds of the engine. Times are in seconds.

    Attributes:
        half_open: How long a peer may take from IKE_SA_INIT to IKE_AUTH.
        linger: How long an IKE SA that is over still repeats its last response.
        retry: What a request that the peer refuses for the time being waits, up to twice that.
        acquire_grace: An acquire for a Child SA younger than this has crossed its installation.
        acquire_patience: An acquire waits so long for a negotiation that the peer has started.
        cookie_threshold: Half-open IKE SAs from which on peers must return a cookie first.
        half_open_limit: IKE SAs of peers that are not authenticated, from which on there is room
            for another one only if one of them can go; at most an eighth of the TKM's contexts.
        half_open_grace: How long one of them has to authenticate before it may have to go.
        ipv4_datagram: Octets of the longest IP datagram that IKE sends in one piece, if the peer
            understands fragments; ``ipv6_datagram``: over IPv6 (RFC 7383, 2.5.1).
        handover: How long a Child SA that the peer has created waits for it to delete the one whose
            place it takes, before it is sent through.
        keepalive: Silence after which a keepalive is sent to our NAT; 0: never (RFC 3948, 4).
    """

    retransmission: Retransmission = Retransmission()
    half_open: float = 30.0
    linger: float = 60.0
    retry: float = 2.0
    acquire_grace: float = 10.0
    acquire_patience: float = 1.0
    cookie_threshold: int = 10
    half_open_limit: int = 500
    half_open_grace: float = 10.0
    ipv4_datagram: int = 576
    ipv6_datagram: int = 1280
    handover: float = 5.0
    keepalive: float = 20.0


class EngineContext:
    """What all IKE SAs of an engine share.

    Args:
        random: Gives that many random octets, unpredictable ones.
        ports: Our UDP ports.

    Attributes:
        now: The time, in seconds from anywhere; never goes back.
        outbox: Datagrams to send.
        events: What has happened.
        children: Child SAs by our inbound SPI.
        handovers: Those through which nothing is sent yet.
    """

    def __init__(
        self,
        tkm: TkmClient,
        configuration: Configuration,
        settings: Settings,
        random: Callable[[int], bytes],
        ports: Ports = PORTS,
    ) -> None:
        self.tkm = tkm
        self.configuration = configuration
        self.settings = settings
        self.random = random
        self.ports = ports
        self.now = 0.0
        self.outbox: list[Datagram] = []
        self.events: list[Event] = []
        self.children: dict[bytes, ChildSa] = {}
        self.handovers = Handovers(settings.handover)
        self._last_number = {"IKE SA": 0, "Child SA": 0}

    def send(self, path: Path, datagrams: Datagrams, *, proven: bool) -> None:
        """Send IKE messages, or fragments of them; see :class:`Datagram`."""
        self.outbox += (
            Datagram(*path, self.ports.wrap(octets, path.local), proven) for octets in datagrams
        )

    def keep_alive(self, path: Path) -> None:
        """Send a keepalive to our NAT."""
        self.outbox.append(Datagram(*path, KEEPALIVE))

    def emit(self, event: Event) -> None:
        """Report an event."""
        self.events.append(event)

    def tick(self, now: float) -> None:
        """Set the time."""
        self.now = now

    def configure(self, configuration: Configuration) -> None:
        """Use another configuration from now on."""
        self.configuration = configuration

    def take_datagrams(self) -> list[Datagram]:
        """Return the datagrams to send, and forget them."""
        datagrams, self.outbox = self.outbox, []
        return datagrams

    def take_events(self) -> list[Event]:
        """Return the events, and forget them."""
        events, self.events = self.events, []
        return events

    def add_child(self, child: ChildSa) -> None:
        """Add a Child SA that was installed."""
        self.children[child.spi_local] = child

    def remove_child(self, child: ChildSa) -> None:
        """Remove a Child SA."""
        del self.children[child.spi_local]

    def number(self, kind: str) -> int:
        """The next number for an ``IKE SA`` or a ``Child SA``."""
        self._last_number[kind] += 1
        return self._last_number[kind]

    def new_child_spi(self) -> bytes:
        """An SPI of 4 octets that no Child SA here has; all begin with ``c``, as charon's do."""
        while (spi := self._child_spi()) in self.children:
            pass
        return spi

    def _child_spi(self) -> bytes:
        octets = self.random(4)
        return bytes((0xC0 | octets[0] & 0x0F, *octets[1:]))

    def jitter(self, span: float) -> float:
        """Seconds from 0 up to ``span``, so that two peers do not keep step."""
        return span * int.from_bytes(self.random(2), "big") / 0x10000

    def later(self) -> float:
        """When to try again what the peer has refused for the time being."""
        return self.now + self.settings.retry + self.jitter(self.settings.retry)
