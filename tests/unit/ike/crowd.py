# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway and any number of clients, each with a TKM, in one process: all of them come at once.

As in :mod:`tests.unit.ike.network` there is no other clock than :attr:`Crowd.now`; only what has
something to do is asked, so a thousand clients cost no more than their handshakes.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from heapq import heappop, heappush
from ipaddress import IPv4Address, ip_address
from typing import Any
from unittest.mock import patch

from ike.address import Endpoint
from ike.config.model import ChildConfig, Configuration, Connection
from ike.engine.context import Datagram, Settings
from ike.engine.engine import Ike
from ike.identity import Identity
from ike.tkm_client import TkmClient
from ike.x509 import Certificate
from tests.unit import trusted
from tests.unit.ike.network import FINE, REQID, Weather, configuration
from tests.unit.ike.storm import SHORT
from tkm.config.policy import Config, LocalIdentity, Remote
from tkm.crypto.key_exchange import METHODS

GATEWAY = "192.168.0.2"
_FIRST = IPv4Address("10.0.0.1")


def _changed(value: Any, **changes: Any) -> Any:
    return type(value)(**{name: getattr(value, name) for name in value._fields} | changes)


class Member:
    """A host: its address, engine and TKM."""

    def __init__(
        self, host: trusted.Host, config: Configuration, settings: Settings, chance: random.Random
    ) -> None:
        self.endpoint = Endpoint(config.connections[0].local_addrs[0], 500)
        self.kernel = host.kernel
        self.tkm = TkmClient(host.client)
        self.engine = Ike(self.tkm, config, settings, chance.randbytes)


def _name(number: int) -> str:
    return f"client{number}@tkm-lab.test"


def _address(number: int) -> str:
    return str(_FIRST + number)


@cache
def _certificate(number: int) -> Certificate:
    """A client's; they share a key, which is the dearest part."""
    pki = trusted.pki()
    issued = pki.ca.issue_cert(_name(number), key=pki.keys["alice"])
    return Certificate.read(issued.certificate.der)


def _client(number: int, settings: Settings, chance: random.Random) -> Member:
    base = configuration("alice")
    connection = _changed(
        base.connections[0],
        local_addrs=(_address(number),),
        local_id=Identity.parse(_name(number)),
        certificates=(_certificate(number),),
    )
    common = trusted.config_of("alice")
    policy = common.policies[REQID]
    policy = replace(policy, local=replace(policy.local, ip=ip_address(_address(number))))
    own = {1: LocalIdentity(1, _name(number), "clientCert.pem")}
    host = trusted.host("alice", Config(own, {REQID: policy}))
    return Member(host, _changed(base, connections=(connection,)), settings, chance)


def _gateway(clients: int, settings: Settings, chance: random.Random) -> Member:
    base, common = configuration("bob"), trusted.config_of("bob")
    (connection,), policy = base.connections, common.policies[REQID]
    (child,) = connection.children
    connections: list[Connection] = []
    policies = {}
    for number in range(clients):
        reqid = number + 1
        own: ChildConfig = _changed(child, name=f"net{reqid}", reqid=reqid)
        connections.append(
            _changed(
                connection,
                name=f"client{reqid}",
                remote_addrs=(_address(number),),
                remote_id=Identity.parse(_name(number)),
                children=(own,),
            )
        )
        remote = Remote(_name(number), ip_address(_address(number)))
        policies[reqid] = replace(policy, id=reqid, remote=remote)
    host = trusted.host("bob", Config(common.local_identities, policies))
    return Member(host, _changed(base, connections=tuple(connections)), settings, chance)


@contextmanager
def short_groups() -> Iterator[None]:
    """Key exchanges that cost less; both sides have them."""
    with patch.dict(METHODS, SHORT):
        yield


class Crowd:
    """The gateway, its clients, and a network between them that may lose and delay datagrams.

    :param settings: the gateway's.
    """

    def __init__(
        self,
        clients: int,
        settings: Settings | None = None,
        weather: Weather = FINE,
        seed: int = 0,
    ) -> None:
        self.chance = random.Random(seed)
        self.weather = weather
        self.now = 1000.0
        self.sent = 0
        self._order = 0
        self._due: list[tuple[float, int, Member | Datagram]] = []
        self.gateway = _gateway(clients, settings or Settings(), self.chance)
        self.clients = [_client(number, Settings(), self.chance) for number in range(clients)]
        self._hosts = {each.endpoint.host: each for each in (self.gateway, *self.clients)}

    def come(self) -> None:
        """Every client has traffic for the gateway, at the same moment."""
        for client in self.clients:
            client.engine.acquire(REQID, self.now)
            self._collect(client)

    def up(self) -> int:
        """The clients with a Child SA that the gateway has, too."""
        there = self.gateway.kernel.states
        return sum(bool(client.kernel.states & there) for client in self.clients)

    def run(self, seconds: float) -> float:
        """Let time pass until all are up.

        :return: the seconds that it took; ``seconds`` if they are not.
        """
        start, events = self.now, 0
        while self._due and self._due[0][0] <= start + seconds:
            self.now, _, item = heappop(self._due)
            if isinstance(item, Member):
                item.engine.handle_timer(self.now)
                self._collect(item)
            else:
                self._arrive(item)
            events += 1
            if events % 64 == 0 and self.up() == len(self.clients):
                return self.now - start
        return seconds

    def _arrive(self, datagram: Datagram) -> None:
        member = self._hosts[datagram.remote.host]
        member.engine.receive_datagram(datagram.octets, datagram.remote, datagram.local, self.now)
        self._collect(member)

    def _collect(self, member: Member) -> None:
        member.engine.take_events()
        for datagram in member.engine.datagrams_to_send():
            self.sent += 1
            if self.chance.random() >= self.weather.loss:
                self._push(self.now + self.chance.uniform(*self.weather.delays), datagram)
        if (due := member.engine.next_timer()) is not None:
            self._push(max(self.now, due), member)

    def _push(self, time: float, item: Member | Datagram) -> None:
        self._order += 1
        heappush(self._due, (time, self._order, item))
