# SPDX-License-Identifier: GPL-2.0-or-later
"""Two engines, each with a TKM, in one process: a network with its own time that misbehaves.

The network loses, duplicates, delays and thereby reorders datagrams, all by the numbers of one
seeded generator; so do the engines' random octets come. (The TKMs' do not: nonces and private
values are theirs alone. They change which of two simultaneous rekeyings wins.)
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from heapq import heappop, heappush
from ipaddress import ip_address, summarize_address_range
from typing import Any, NamedTuple

from ike import address
from ike.address import Endpoint
from ike.config import proposals
from ike.config.model import Authority, ChildConfig, Configuration, Connection, Mode
from ike.engine import timers
from ike.engine.context import Datagram, Settings
from ike.engine.engine import Ike
from ike.identity import Identity
from ike.message.numbers import Protocol
from ike.tkm_client import TkmClient
from ike.x509 import Certificate
from tests.unit import trusted
from tests.unit.ike.nat_box import NatBox
from tests.unit.trusted import NAMES, RecordingKernel, identity
from tkm.algorithms import ENCRYPTIONS, INTEGRITIES, METHODS, PRFS
from tkm.config import policy as tkm

REQID = 1
IPV4 = {name: str(each) for name, each in trusted.ADDRESSES.items()}
IPV6 = {"alice": "fd00::1", "bob": "fd00::2"}


class Weather(NamedTuple):
    """How the network behaves: probabilities, and the range of delays in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delays: tuple[float, float] = (0.01, 0.01)


FINE = Weather()
STORM = Weather(loss=0.2, duplication=0.2, delays=(0.01, 1.5))


def configuration(
    name: str,
    *,
    ike: str = "aes256-sha512-modp3072",
    esp: str = "aes256-sha512",
    rekey_time: float = 0.0,
    reauth_time: float = 0.0,
    over_time: float | None = None,
    rand_time: float | None = None,
    dpd_delay: float = 0.0,
    fragmentation: bool = False,
    addresses: Mapping[str, str] = IPV4,
    nets: Mapping[str, str] | None = None,
    outside: Mapping[str, str] | None = None,
    encap: bool = False,
) -> Configuration:
    """What ``tkm_cfgtool`` would write for a host.

    :param outside: where others see the hosts that are behind a NAT.
    :param nets: what is behind each host, for tunnel mode.
    """
    (other,) = (each for each in NAMES if each != name)
    pki = trusted.pki()
    child = ChildConfig(
        name="net",
        reqid=REQID,
        mode=Mode.TUNNEL if nets else Mode.TRANSPORT,
        proposals=proposals.parse(esp, Protocol.ESP),
        local_ts=(address.Network.parse(nets[name]),) if nets else None,
        remote_ts=(address.Network.parse(nets[other]),) if nets else None,
    )
    connection = Connection(
        name=f"to-{other}",
        local_addrs=(addresses[name],),
        remote_addrs=((outside or {}).get(other, addresses[other]),),
        proposals=proposals.parse(ike, Protocol.IKE),
        local_id=Identity.parse(identity(name)),
        remote_id=Identity.parse(identity(other)),
        certificates=(Certificate.read(pki.certificates[name]),),
        children=(child,),
        rekey_time=rekey_time,
        reauth_time=reauth_time,
        over_time=over_time,
        rand_time=rand_time,
        dpd_delay=dpd_delay,
        fragmentation=fragmentation,
        encap=encap,
    )
    ca = Certificate.read(pki.ca.root.certificate.der)
    return Configuration((connection,), (Authority(1, ca),))


def tkm_configuration(name: str, config: Configuration) -> tkm.Config:
    """The same for the TKM."""
    common = trusted.config_of(name)
    (connection,) = config.connections
    (child,) = connection.children
    policy = common.policies[REQID]
    policy = replace(
        policy,
        mode=tkm.Mode(child.mode.value),
        proposals=_EVERYTHING,
        local=replace(
            policy.local, ip=ip_address(connection.local_addrs[0]), net=_net(child.local_ts)
        ),
        remote=replace(
            policy.remote, ip=ip_address(connection.remote_addrs[0]), net=_net(child.remote_ts)
        ),
    )
    return replace(common, policies={REQID: policy})


def _everything(*, esp: bool) -> str:
    """Proposals that allow all that there is."""
    further = [] if esp else [each.keyword for each in PRFS]
    further += [each.keyword for each in METHODS if not each.is_kem]
    aead = [each.keyword for each in ENCRYPTIONS if each.icv]
    others = [each.keyword for each in (*ENCRYPTIONS, *INTEGRITIES) if each.keyword not in aead]
    return ",".join("-".join([*words, *further]) for words in (aead, others))


_EVERYTHING = tkm.Proposals(_everything(esp=False), _everything(esp=True))


def _net(networks: tuple[address.Network, ...] | None) -> tkm.Network | None:
    if networks is None:
        return None
    (network,) = networks
    (net,) = summarize_address_range(*map(ip_address, network))
    return net


class Side:
    """One host: engine, TKM, kernel."""

    def __init__(
        self, name: str, config: Configuration, settings: Settings, chance: random.Random
    ) -> None:
        host = trusted.host(name, tkm_configuration(name, config))
        self.name = name
        self.endpoint = Endpoint(config.connections[0].local_addrs[0], 500)
        self.kernel: RecordingKernel = host.kernel
        self.manager = host.manager
        self.tkm = TkmClient(host.client)
        self.engine = Ike(self.tkm, config, settings, chance.randbytes)
        self.events: list[Any] = []

    def states(self) -> set[trusted.State]:
        """What is in the kernel."""
        return set(self.kernel.states)

    def contexts(self) -> dict[str, int]:
        """How many contexts of each kind are taken, by our books."""
        return {kind: count for kind, count in self.tkm.contexts_in_use.items() if count}

    def in_tkm(self) -> dict[str, int]:
        """The same by the TKM's books: contexts that are not clean."""
        kinds = [context.table.name for context in self.manager.contexts]
        return {kind: kinds.count(kind) for kind in kinds}

    def next_timer(self) -> float | None:
        """When the engine has something to do. It must not have overlooked an IKE SA."""
        asked = {sa: timers.next_timer(sa) for sa in self.engine.registry.values()}
        asked = {sa: time for sa, time in asked.items() if time is not None}
        assert self.engine.deadline_index.times() == asked, self.name
        return self.engine.next_timer()

    def ike_sas(self) -> list[str]:
        """The states of the IKE SAs that are alive."""
        return [sa["state"] for sa in self.engine.status()]


Meddler = Callable[[Datagram], list[bytes]]
"""Sees each datagram and says what gets on the wire in its place."""


class Network:
    """Two sides and what is between them; :attr:`now` is the only clock there is."""

    def __init__(
        self,
        seed: int = 0,
        weather: Weather = FINE,
        settings: Settings | None = None,
        own: Mapping[str, Mapping[str, Any]] | None = None,
        forwards: bool = False,
        **options: Any,
    ) -> None:
        """
        :param own: options of one side only, by its name.
        :param forwards: NATs let in what nobody has asked for.
        """
        self.chance = random.Random(seed)
        self.weather = weather
        self.now = 1000.0
        self.meddler: Meddler = lambda datagram: [datagram.octets]
        self.sent: list[Datagram] = []
        self._flying: list[tuple[float, int, Datagram]] = []
        self._order = 0
        given, own = settings or Settings(), own or {}
        self.alice, self.bob = (
            Side(name, configuration(name, **options, **own.get(name, {})), given, self.chance)
            for name in NAMES
        )
        inside = options.get("addresses", IPV4)
        self.boxes = {
            name: NatBox(inside[name], outside, forwards=forwards)
            for name, outside in (options.get("outside") or {}).items()
        }

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both."""
        return self.alice, self.bob

    def _collect(self) -> None:
        for side in self.sides:
            side.events += side.engine.take_events()
            for datagram in side.engine.datagrams_to_send():
                self.sent.append(datagram)
                for octets in self.meddler(datagram):
                    self.launch(datagram._replace(octets=octets))

    def launch(self, datagram: Datagram) -> None:
        """Put a datagram on the wire, before the NATs."""
        weather = self.weather
        for box in self.boxes.values():
            datagram = box.leave(datagram)
        copies = 1 + (self.chance.random() < weather.duplication)
        for _ in range(copies):
            if self.chance.random() >= weather.loss:
                arrival = self.now + self.chance.uniform(*weather.delays)
                self._order += 1
                heappush(self._flying, (arrival, self._order, datagram))

    def _next(self) -> float | None:
        times = [side.next_timer() for side in self.sides]
        times.append(self._flying[0][0] if self._flying else None)
        return min((time for time in times if time is not None), default=None)

    def _step(self) -> None:
        while self._flying and self._flying[0][0] <= self.now:
            _, _, datagram = heappop(self._flying)
            self._arrive(datagram)
            self._collect()
        for side in self.sides:
            side.engine.handle_timer(self.now)
        self._collect()

    def _arrive(self, datagram: Datagram | None) -> None:
        for box in self.boxes.values():
            datagram = datagram and box.enter(datagram)
        for side in self.sides:
            if datagram and side.endpoint.host == datagram.remote.host:
                local, remote = datagram.remote, datagram.local
                side.engine.receive_datagram(datagram.octets, local, remote, self.now)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self._collect()
        while (time := self._next()) is not None and time <= end:
            self.now = max(self.now, time)
            self._step()
        self.now = end

    def run_until(self, condition: Callable[[], bool], seconds: float = 300.0) -> None:
        """Let time pass until ``condition`` holds, for at most ``seconds``."""
        end = self.now + seconds
        self._collect()
        while not condition():
            time = self._next()
            assert time is not None, "nothing is going to happen any more"
            assert time <= end, "it does not happen"
            self.now = max(self.now, time)
            self._step()

    def ping(self, side: Side) -> None:
        """The kernel asks ``side`` for a Child SA."""
        side.engine.acquire(REQID, self.now)

    def is_up(self) -> bool:
        """Both sides have a Child SA, and the same ones."""
        alice, bob = ({state[2:] for state in side.states()} for side in self.sides)
        if not self.boxes:
            return bool(alice) and self.alice.states() == self.bob.states()
        return bool(alice) and alice == bob


def soft_expire(network: Network, side: Side) -> None:
    """The kernel reports the outbound state of every Child SA."""
    for child in list(side.engine.context.children.values()):
        side.engine.expire(1, child.spi_remote, hard=False, now=network.now)


def rekey_ike_sa(network: Network, side: Side) -> None:
    """A side begins to rekey its one IKE SA."""
    (sa,) = side.engine.sas()
    side.engine.rekey_ike_sa(sa.id, network.now)
