# SPDX-License-Identifier: GPL-2.0-or-later
"""The sockets: both ports of each address are served, and ESP has the second one to itself."""

import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ike import address
from ike.address import Endpoint
from ike.daemon.service import Service
from ike.daemon.udp import UdpSocket
from ike.engine.route import KEEPALIVE, Ports
from tests.unit.ike.daemons import free_port
from tests.unit.ike.network import Network

UDP_ENCAP, ESP_IN_UDP = 100, 2


@pytest.fixture(params=["127.0.0.1", "::1"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Service, str]]:
    network = Network()
    network.alice.engine.context.ports = Ports(free_port(), free_port())
    with Service(network.alice.engine, (request.param,)) as service:
        yield service, request.param


def sockets(service: Service) -> list[UdpSocket]:
    return [
        key.fileobj
        for key in service.selector.get_map().values()
        if isinstance(key.fileobj, UdpSocket)
    ]


def test_a_peer_with_a_link_local_address_is_answered() -> None:
    """The kernel gives such an address with its zone, and that is no part of the address."""
    network = Network()
    network.ping(network.alice)
    network.run(0)
    (request,) = network.sent
    bob, remote = network.bob.engine, Endpoint("fe80::1%eth0", 500)
    assert remote.packed() == Endpoint("fe80::1", 500).packed()
    bob.receive_datagram(request.octets, network.bob.endpoint, remote, network.now)
    (answer,) = bob.datagrams_to_send()
    assert answer.remote == remote, "with its zone: it is needed to send there"


def option(udp: UdpSocket) -> int:
    with socket.socket(fileno=socket.dup(udp.fileno())) as same:
        return same.getsockopt(socket.IPPROTO_UDP, UDP_ENCAP)


def test_both_ports_and_esp_on_the_second(served: tuple[Service, str]) -> None:
    service, host = served
    ports = service.engine.context.ports
    assert {udp.local: option(udp) for udp in sockets(service)} == {
        Endpoint(host, ports.ike): 0,
        Endpoint(host, ports.nat): ESP_IN_UDP,
    }
    service.listen(host)
    assert len(sockets(service)) == 2, "again is no error"


def test_there_is_room_for_many_clients_at_once(served: tuple[Service, str]) -> None:
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    for udp in sockets(served[0]):
        with socket.socket(fileno=socket.dup(udp.fileno())) as same:
            size = same.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert size >= 2 * min(limit, 4 << 20), "the kernel doubles what it is asked for"


def test_the_kernel_takes_keepalives_and_leaves_ike(served: tuple[Service, str]) -> None:
    service, host = served
    (udp,) = (
        each for each in sockets(service) if each.local.port == service.engine.context.ports.nat
    )
    with socket.socket(address.family(host), socket.SOCK_DGRAM) as peer:
        for octets in (KEEPALIVE, bytes(4) + b"IKE"):
            peer.sendto(octets, (host, udp.local.port))
    with selectors.DefaultSelector() as selector:
        selector.register(udp, selectors.EVENT_READ)
        assert selector.select(10)
    received = udp.receive()
    assert received
    assert received[0] == bytes(4) + b"IKE"
    assert udp.receive() is None
