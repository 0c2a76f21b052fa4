# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket of the control interface, in this process."""

import contextlib
import itertools
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ike.daemon.service import Service
from ike.vici import message, packet
from ike.vici.control import Control
from ike.vici.message import Section
from ike.vici.packet import LONGEST, Packet, PacketType
from ike.vici.server import ViciServer
from tests.unit.ike.network import Network
from tkm.rpc.log_limit import Limiter

log = logging.getLogger("ike")


class Client:
    """A client, and a look at all that it has read."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.setblocking(False)
        self.received = bytearray()
        self.over = False

    def send(self, kind: PacketType, name: str, section: Section | None = None) -> None:
        self.socket.send(packet.pack(kind, name, section))

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while octets := self.socket.recv(65536):
                self.received += octets
            self.over = True

    def next(self) -> Packet | None:
        self.read()
        return packet.cut(self.received)


@pytest.fixture
def service(caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    caplog.set_level(logging.INFO, log.name)
    # Lines are far apart for the limiter: how many it lets through is not this module's subject.
    limiter = Limiter(itertools.count(0.0, 1000.0).__next__)
    with Service(Network().alice.engine, (), limiter) as service:
        yield service


@pytest.fixture
def server(service: Service, tmp_path: Path) -> Iterator[ViciServer]:
    with contextlib.closing(ViciServer(str(tmp_path / "vici"), Control(service))) as server:
        yield server


@pytest.fixture
def clients(service: Service, server: ViciServer) -> Iterator[list[Client]]:
    """Two that listen to the log."""
    made = [Client(server.path) for _ in range(2)]
    for client in made:
        client.send(PacketType.EVENT_REGISTER, "log")
        confirmed = client.next
        assert turn_until(service, confirmed) == Packet(PacketType.EVENT_CONFIRM)
    yield made
    for client in made:
        client.socket.close()


def turn_until(service: Service, condition: Callable[[], object]) -> object:
    """Turn the loop until ``condition`` gives something."""
    for _ in range(1000):
        if value := condition():
            return value
        for key, _ in service.selector.select(0.01):
            key.data()
    raise AssertionError("it does not happen")


def heard_by(client: Client) -> bytes:
    """The message of the next packet, if it has come."""
    one = client.next()
    return one.body if one else b""


def test_log_lines(service: Service, clients: list[Client]) -> None:
    log.info("received packet: %s", "x")
    log.warning("trouble")
    for client in clients:
        lines = []
        for _ in range(2):
            one = turn_until(service, client.next)
            assert isinstance(one, Packet)
            lines.append(message.decode(one.body))
        assert lines == [
            {"group": "NET", "level": "1", "thread": "1", "msg": "received packet: x"},
            {"group": "IKE", "level": "0", "thread": "1", "msg": "trouble"},
        ]


def test_who_does_not_read_the_log_is_hung_up_on(service: Service, clients: list[Client]) -> None:
    deaf, keen = clients
    deaf.send(PacketType.EVENT_REGISTER, "control-log")
    deaf.send(PacketType.CMD_REQUEST, "initiate", {"child": "net"})
    turn_until(service, lambda: b"initiating IKE_SA" in heard_by(keen))
    for _ in range(5 * LONGEST // 1000):
        log.info("%s", "x" * 1000)
        assert turn_until(service, keen.next)

    def hung_up() -> bool:
        deaf.read()
        return deaf.over

    turn_until(service, hung_up)
    assert not keen.over


def test_nobody_is_told_any_more(service: Service, server: ViciServer) -> None:
    handlers = len(log.handlers)
    another = server.path.with_name("another")
    with contextlib.closing(ViciServer(str(another), Control(service))):
        assert len(log.handlers) == handlers + 1
    assert len(log.handlers) == handlers
    assert not another.exists()


def test_a_name_that_somebody_took_over_is_left(service: Service, tmp_path: Path) -> None:
    server = ViciServer(str(tmp_path / "vici"), Control(service))
    server.path.rename(tmp_path / "old")
    server.path.touch()
    server.close()
    assert server.path.exists()


def test_a_dead_socket_is_replaced(service: Service, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "vici"))
    with contextlib.closing(ViciServer(str(tmp_path / "vici"), Control(service))) as server:
        client = Client(server.path)
        client.send(PacketType.CMD_REQUEST, "version")
        assert turn_until(service, client.next)
        client.socket.close()


def test_no_such_folder(service: Service, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as error:
        ViciServer(str(tmp_path / "none" / "vici"), Control(service))
    assert error.value.filename == str(tmp_path / "none" / "vici")
