# SPDX-License-Identifier: GPL-2.0-or-later
"""The TKM ends inside a request, at any request and octet: its SAs are lost, tkm_iked is not."""

import contextlib
import random
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from ike.daemon.reconnect import TkmReconnect
from ike.daemon.service import Service
from tests.unit import trusted
from tests.unit.ike.daemon.test_main import ask
from tests.unit.ike.daemons import Node, free_port, wait_for
from tests.unit.ike.network import Network, Side, rekey_ike_sa, soft_expire, tkm_configuration
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.ees import EsaAcquire
from tkm.rpc.result import Disconnected
from tkm.rpc.rpc2 import RPC2

Transport = Callable[[bytes], bytes]

HEAD = 12
"""Octets of a frame's header in generation 2 (``SizedFrames``)."""


def hang_up(_response: bytes, _chance: random.Random) -> bytes:
    """The connection breaks: the request may have been carried out."""
    raise Disconnected("the connection broke: the server closed it")


def short(response: bytes, chance: random.Random) -> bytes:
    """Not all of the frame."""
    return response[: chance.randrange(len(response))]


def garbage(response: bytes, chance: random.Random) -> bytes:
    """As many octets, of something else."""
    return chance.randbytes(len(response))


def of_another(response: bytes, _chance: random.Random) -> bytes:
    """The reply to the request before."""
    number = int.from_bytes(response[8:HEAD]) - 1
    return response[:8] + number.to_bytes(4) + response[HEAD:]


def cut_body(response: bytes, _chance: random.Random) -> bytes:
    """A frame that is whole, and lacks the end of its body; an empty one has an octet too many."""
    body = response[HEAD:-1] if response[HEAD:] else b"\0"
    return (HEAD - 4 + len(body)).to_bytes(4) + response[4:HEAD] + body


ENDS = (hang_up, short, garbage, of_another, cut_body)


class Dying:
    """A way to the TKM that ends at one of the requests.

    :ivar asked: requests so far.
    """

    def __init__(self, transport: Transport, last: int = 0) -> None:
        self._transport = transport
        self._last = last
        self.asked = 0

    def __call__(self, request: bytes) -> bytes:
        self.asked += 1
        assert self._last == 0 or self.asked <= self._last, "asked after its end"
        response = self._transport(request)
        if self.asked != self._last:
            return response
        return ENDS[self.asked % len(ENDS)](response, random.Random(self.asked))


def connect(side: Side, last: int = 0) -> Dying:
    """Give ``side`` a TKM of its own, whose answer to the ``last`` request is its end."""
    config = side.engine.context.configuration
    host = trusted.host(side.name, tkm_configuration(side.name, config))
    dying = Dying(host.client._transport, last)
    side.tkm.attach(Client(RPC2, dying))
    side.manager, side.kernel = host.manager, host.kernel
    return dying


def delete_ike_sa(network: Network, side: Side) -> None:
    side.engine.terminate("test", network.now)


STEPS: tuple[Callable[[Network, Side], None], ...] = (
    lambda network, side: network.ping(side),
    soft_expire,
    rekey_ike_sa,
    delete_ike_sa,
)


def live(network: Network) -> None:
    """All that IKE SAs and Child SAs go through, or as much of it as there is a TKM for."""
    for step in STEPS:
        if not any(side.tkm.is_lost for side in network.sides):
            step(network, network.alice)
            network.run(2)


def requests(name: str) -> int:
    """How many requests a side has for the TKM in its life."""
    network = Network()
    dying = connect(getattr(network, name))
    live(network)
    return dying.asked


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", trusted.NAMES)
def test_at_every_request(name: str, part: int) -> None:
    total = requests(name)
    assert total > 30
    for last in range(4 + part, total + 1, 4):  # three are for finding the TKM
        network = Network(last)
        side: Side = getattr(network, name)
        connect(side, last)
        live(network)
        assert side.tkm.is_lost, last
        side.engine.close("the TKM is gone", network.now)
        assert side.engine.is_idle
        assert side.contexts() == {}
        connect(side)
        network.run(400)  # the other side finds out by itself
        network.ping(side)
        network.run_until(network.is_up, seconds=60)


def test_while_the_next_one_is_looked_for(caplog: pytest.LogCaptureFixture) -> None:
    """A TKM that ends while it is found, or is something else, is not found yet."""
    caplog.set_level("INFO")
    network = Network()
    alice = network.alice
    service = Service(alice.engine, ())
    lives = iter((1, 2, 3, 1, 1, 0))

    class Ends(Dying):
        def fileno(self) -> int:
            return peer.fileno()

        def close(self) -> None:
            pass

    def another() -> SocketTransport:
        host = trusted.host("alice")
        return Ends(host.client._transport, next(lives))  # type: ignore[return-value]

    first, peer = socket.socketpair()
    with contextlib.closing(peer), service:
        reconnect = TkmReconnect(service, alice.tkm, first, another)  # type: ignore[arg-type]
        alice.tkm.lose()
        now = 0.0
        while "there is a TKM again" not in caplog.text:
            now += 1e6
            reconnect.handle_timer(now)
        reconnect.close()
    assert next(lives, None) is None
    tries = [line for line in caplog.messages if "still no TKM" in line]
    assert 1 <= len(tries) <= 5
    assert all(one != other for one, other in pairwise(tries)), "no line twice in a row"


class Cutter:
    """Stands between a daemon and its TKM, and cuts one of the TKM's answers.

    :param request: the number of the answer; ``octets``: how much of it gets through.
    """

    def __init__(self, path: Path, behind: Path, request: int, octets: int) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._behind, self._request, self._octets = behind, request, octets
        self.has_cut = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> socket.socket | None:
        try:
            return self._listener.accept()[0]
        except OSError:
            return None

    def _serve(self) -> None:
        answers = 0
        while client := self._accept():
            with client, socket.socket(socket.AF_UNIX) as tkm:
                tkm.connect(str(self._behind))
                while request := client.recv(1 << 17):
                    tkm.sendall(request)
                    response = tkm.recv(1 << 17)
                    answers += 1
                    if answers == self._request:
                        client.sendall(response[: self._octets])
                        # What is unread makes it a reset.
                        linger = struct.pack("ii", 1, 0)
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                        self.has_cut.set()
                        break
                    client.sendall(response)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Node]:
    node = Node("alice", tmp_path / "alice", (free_port(), free_port()))
    yield node
    node.tkm.close()


@pytest.mark.parametrize("octets", [0, 1, 11, 12, 13])
def test_the_program_goes_on(alone: Node, octets: int) -> None:
    cutter = Cutter(alone.folder / "cut", alone.folder / "rpc", 11, octets)
    process = alone.spawn((), f"--rpc-socket={alone.folder}/cut")
    try:
        wait_for(alone.serves, process)
        ask(alone, EsaAcquire(sp_id=1))  # nc_create, after three for the TKM and seven for our key
        wait_for(cutter.has_cut.is_set, process)
        wait_for(lambda: "there is a TKM again" in alone.log.read_text(), process)
        ask(alone, EsaAcquire(sp_id=1))
        wait_for(lambda: "generating IKE_SA_INIT request" in alone.log.read_text(), process)
        assert "Traceback" not in alone.log.read_text()
        assert alone.log.read_text().count("the TKM is gone, and with it all SAs") == 1
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        cutter.close()


def test_a_fault_of_ours_costs_one_ike_sa(caplog: pytest.LogCaptureFixture) -> None:
    network = Network()
    network.ping(network.alice)
    network.run_until(network.is_up)
    bob = network.bob.engine
    (sa,) = bob.sas()
    secret = b"what was in the message"

    def raises(*_: object) -> None:
        raise ZeroDivisionError(secret)

    sa.queue.next_due = raises  # type: ignore[method-assign, assignment]
    with Service(bob, ()) as service:
        sa.touch()
        sa.deadline = 0.0
        due = bob.next_timer()
        assert due is not None
        sa.close = lambda *_, **__: raises()  # type: ignore[method-assign]
        service._guarded(lambda: bob.handle_timer(network.now + 1))
    assert sa not in bob.registry.values(), "even its end fails"
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "internal error: ZeroDivisionError at test_reconnect.py:" in line.getMessage()
    assert secret.decode() not in caplog.text


def test_a_descriptor_that_another_socket_gets_meanwhile(tmp_path: Path) -> None:
    """In the turn in which a request fails, a client may connect before the TKM is parted from."""
    network = Network()
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Service(network.alice.engine, ()))
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(f"{tmp_path}/rpc")
        listener.listen()
        transport = SocketTransport(f"{tmp_path}/rpc", RPC2)
        number = transport.fileno()

        def none() -> SocketTransport:
            raise Disconnected("there is none")

        reconnect = TkmReconnect(service, network.alice.tkm, transport, none)
        listener.accept()[0].close()
        with pytest.raises(Disconnected):
            transport(b"request")
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        assert number in {end.fileno() for end in ends}
        for end in ends:
            service.selector.register(end, selectors.EVENT_READ)
        network.alice.tkm.lose()
        reconnect.handle_timer(network.now)
        assert {end.fileno() for end in ends} <= set(service.selector.get_map())
        reconnect.close()
