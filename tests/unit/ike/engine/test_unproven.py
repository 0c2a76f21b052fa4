# SPDX-License-Identifier: GPL-2.0-or-later
"""What an unauthenticated packet costs: what is read of it, logged about it, and sent for it."""

import logging
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence

import pytest

from ike.address import Endpoint
from ike.daemon.udp import UdpSocket
from ike.engine import ike_sa_init_responder
from ike.engine.context import Datagram
from ike.message.errors import PeerError
from ike.message.header import NO_SPI, Header
from ike.message.message import Message
from ike.message.numbers import NotifyType, PayloadType
from ike.message.payloads import Nonce, Notify
from tests.unit.ike.daemons import free_port
from tests.unit.ike.engine.test_flood import FEW, Flooder
from tests.unit.ike.network import Network
from tkm.rpc.log_limit import BURST, LONGEST, Limiter

LARGEST = 65_507
"""Octets of the longest UDP payload over IPv4."""


@pytest.fixture
def crowded() -> tuple[Network, Flooder]:
    """Bob asks everybody for a cookie."""
    network = Network(settings=FEW)
    flooder = Flooder(network)
    for number in range(FEW.cookie_threshold):
        assert flooder.begin(Endpoint(network.alice.endpoint.host, 1024 + number))
    return network, flooder


def stuffed(payloads: Sequence[tuple[int, bytes]]) -> bytes:
    """A first message of these payloads, filled up with Notify payloads of their least size."""
    body = b""
    kinds = [kind for kind, _ in payloads]
    filler = (LARGEST - Header.LENGTH - sum(4 + len(body) for _, body in payloads)) // 8
    kinds += [PayloadType.NOTIFY] * filler + [PayloadType.NONE]
    bodies = [body for _, body in payloads] + [struct.pack(">BBH", 0, 0, 16390)] * filler
    for octets, following in zip(bodies, kinds[1:], strict=True):
        body += struct.pack(">BBH", following, 0, 4 + len(octets)) + octets
    header = Header(b"spoofed!", NO_SPI, 34, True, False, 0)
    return header.encode(kinds[0], Header.LENGTH + len(body)) + body


def test_a_cookie_is_asked_for_before_anything_is_decoded(
    crowded: tuple[Network, Flooder], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, flooder = crowded

    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ike_sa_init_responder, "decode_chain", decode)
    source = Endpoint(network.alice.endpoint.host, 4000)
    (answer,) = flooder.send(flooder.request(), source)
    assert Message.decode(answer.octets).notify(NotifyType.COOKIE)
    assert not answer.proven
    (answer,) = flooder.send(flooder.request(b"x" * 32), source)
    assert Message.decode(answer.octets).notify(NotifyType.COOKIE)


@pytest.mark.parametrize(
    "payloads",
    [
        [],
        [(PayloadType.NONCE, bytes(15))],
        [(PayloadType.NONCE, bytes(257))],
        [(PayloadType.NOTIFY, b"\0")],
        [(PayloadType.NOTIFY, bytes(4))] * 300 + [(PayloadType.NONCE, bytes(32))],
    ],
    ids=["no nonce", "short nonce", "long nonce", "broken notify", "nonce far behind"],
)
def test_without_what_a_cookie_needs_there_is_no_answer(
    crowded: tuple[Network, Flooder], payloads: Sequence[tuple[int, bytes]]
) -> None:
    network, _ = crowded
    bob = network.bob.engine
    bob.context.outbox.clear()
    bob.receive_datagram(stuffed(payloads), network.bob.endpoint, Endpoint("192.0.2.1", 9), 0.0)
    assert bob.context.outbox == []


@pytest.mark.parametrize("are_many", [False, True])
def test_one_packet_costs_short_lines(are_many: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Cookies or none: no line of a packet of 64 KiB is long, and none is answered at length."""
    network = Network(settings=FEW)
    flooder = Flooder(network)
    for number in range(FEW.cookie_threshold if are_many else 0):
        flooder.begin(Endpoint(network.alice.endpoint.host, 1024 + number))
    with caplog.filtering(Limiter(lambda: 0.0)):
        caplog.set_level(logging.INFO)
        for payloads in ([], [(PayloadType.NONCE, bytes(32))]):
            caplog.clear()
            bob, source = network.bob, Endpoint(network.alice.endpoint.host, 77)
            bob.engine.receive_datagram(stuffed(payloads), bob.endpoint, source, network.now)
            assert caplog.messages
            assert all(len(line) < LONGEST + 40 for line in caplog.messages)
            assert sum(map(len, caplog.messages)) < 500
        assert all(len(each.octets) < 200 for each in bob.engine.context.outbox)


def test_a_flood_costs_a_bounded_number_of_lines(
    crowded: tuple[Network, Flooder], caplog: pytest.LogCaptureFixture
) -> None:
    network, flooder = crowded
    with caplog.filtering(Limiter(lambda: 0.0)):
        caplog.set_level(logging.INFO)
        for number in range(5000):
            flooder.send(flooder.request(), Endpoint(network.alice.endpoint.host, 2000 + number))
            octets = flooder.chance.randbytes(60)
            network.bob.engine.receive_datagram(
                octets, network.bob.endpoint, Endpoint("192.0.2.1", 9), network.now
            )
        assert len(caplog.messages) <= 6 * BURST


def test_a_message_of_too_many_payloads() -> None:
    with pytest.raises(PeerError, match="more than 256 payloads"):
        Message.decode(stuffed([(Nonce.type, bytes(32))]))
    assert len(Message.decode(Message(*_with(200)).encode()).payloads) == 200


def _with(count: int) -> tuple[Header, tuple[Notify, ...]]:
    header = Header(b"spoofed!", NO_SPI, 34, True, False, 0)
    return header, (Notify(16390),) * count


class Full:
    """A socket whose send buffer is in use to a part."""

    def __init__(self, in_use: int, size: int) -> None:
        self.meminfo = struct.pack("=9I", 0, size, in_use, size, 0, 0, 0, 0, 0)
        self.full = in_use >= size
        self.sent = 0

    def getsockopt(self, *_: object) -> bytes:
        return self.meminfo

    def sendto(self, *_: object) -> None:
        if self.full:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        self.sent += 1


@pytest.mark.parametrize(
    ("in_use", "proven", "unproven"), [(0, 1, 1), (50, 1, 1), (51, 1, 0), (99, 1, 0), (100, 0, 0)]
)
def test_half_of_the_send_buffer_is_for_peers_that_are_proven(
    in_use: int, proven: int, unproven: int
) -> None:
    end = Endpoint("127.0.0.1", 500)
    for is_proven, sent in ((True, proven), (False, unproven)):
        udp = UdpSocket(Endpoint("127.0.0.1", free_port()))
        udp.close()
        udp._socket = full = Full(in_use, 100)  # type: ignore[assignment]
        udp.send(Datagram(end, end, b"octets", is_proven))
        assert full.sent == sent


SPOOFED = """
import socket, subprocess
from ike.address import Endpoint
from ike.engine.context import Datagram
from ike.daemon.udp import UdpSocket
for command in ("link add name left type veth peer name right", "addr add 10.9.0.1/16 dev left",
                "link set left up", "link set right up", "link set lo up"):
    subprocess.run(["ip", *command.split()], check=True)
udp = UdpSocket(Endpoint("10.9.0.1", 500))
for number in range(30_000):
    neighbour = f"10.9.{1 + number % 200}.{1 + number // 200}"
    udp.send(Datagram(udp.local, Endpoint(neighbour, 500), bytes(76), proven=False))
assert udp._is_half_full()
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("10.9.0.1", 4501))
peer.settimeout(10)
udp.send(Datagram(udp.local, Endpoint("10.9.0.1", 4501), b"to an authenticated peer"))
print(peer.recv(100).decode())
"""


def test_spoofed_neighbours_do_not_keep_others_from_their_answers() -> None:
    """On a real link without the neighbours: the kernel keeps what waits for their addresses."""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", SPOOFED],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "to an authenticated peer", done.stderr


def test_the_kernel_has_the_numbers() -> None:
    udp = UdpSocket(Endpoint("127.0.0.1", free_port()))
    udp._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
    assert not udp._is_half_full()
    udp.close()
