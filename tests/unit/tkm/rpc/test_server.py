# SPDX-License-Identifier: GPL-2.0-or-later
"""The server on a real Unix socket, its selector turned by hand: nothing here waits for a clock."""

import os
import resource
import selectors
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tkm.rpc.echo import Say, WordReply, dispatcher
from tests.unit.tkm.rpc.feeding import feed, take
from tests.unit.tkm.rpc.test_frames import cut_all
from tkm.rpc import server
from tkm.rpc.interface import Header, SizedFrames
from tkm.rpc.listener import Credentials
from tkm.rpc.server import MOST_CLIENTS, MOST_CLIENTS_OF_A_USER, Connection, Server


class Serving:
    """A server, and clients that know how many turns they may wait."""

    def __init__(self, path: Any, **options: Any) -> None:
        self.selector = selectors.DefaultSelector()
        self.heard: list[Any] = []
        self.path = str(path)
        self.server = Server(self.path, dispatcher(self.heard), self.selector, **options)

    def turn(self, times: Any = 1) -> None:
        for _ in range(times):
            for key, _ in self.selector.select(0):
                key.data()

    def connect(self) -> Any:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(self.path)
        client.setblocking(False)
        self.turn()
        return client

    def read(self, client: Any) -> Any:
        """All that a client gets if it reads on and on."""
        received = bytearray()
        while True:
            self.turn(2)
            try:
                received += client.recv(1 << 20)
            except BlockingIOError:
                return words(bytes(received))

    def close(self) -> None:
        self.server.close()
        self.selector.close()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Any]:
    with closing(Serving(tmp_path / "socket")) as serving:
        yield serving


def say(word: Any, times: Any = 1) -> Any:
    return SizedFrames().request(Header(Say.code, 0), Say(word=word, times=times).encode())


def words(octets: Any) -> Any:
    frames = cut_all(SizedFrames(), [octets], responses=True)
    return [WordReply.decode(body).word for _, body in frames]


def heard_by(client: Any) -> Any:
    """The words that have arrived at a client."""
    return words(client.recv(1 << 20))


def send_until_full(serving: Any, client: Any, request: Any) -> Any:
    """How often it could be sent to a server that is not read from."""
    for times in range(10_000):
        try:
            client.send(request)
        except BlockingIOError:
            return times
        serving.turn(4)
    raise AssertionError("the server takes everything")


def test_a_half_sent_frame_blocks_nobody(serving: Any) -> None:
    with serving.connect() as first, serving.connect() as second:
        first.send(say(b"first")[:-2])
        serving.turn()
        second.send(say(b"second"))
        serving.turn()
        assert heard_by(second) == [b"second"]
        first.send(say(b"first")[-2:])
        serving.turn()
        assert heard_by(first) == [b"first"]


def test_a_half_sent_frame_costs_no_turns(serving: Any) -> None:
    with serving.connect() as client:
        client.send(say(b"word")[:-2])
        serving.turn()
        assert serving.selector.select(0) == []


def test_a_client_that_asks_for_much_keeps_nobody_waiting(serving: Any) -> None:
    with serving.connect() as greedy, serving.connect() as modest:
        greedy.send(b"".join(say(b"%d" % number) for number in range(100)))
        modest.send(say(b"modest"))
        serving.turn(2)
        assert heard_by(modest) == [b"modest"]
        assert len(serving.heard) <= 4
        assert serving.read(greedy) == [b"%d" % number for number in range(100)]


def test_a_client_that_does_not_read_blocks_nobody_and_is_not_read_from(serving: Any) -> None:
    with serving.connect() as deaf, serving.connect() as other:
        times = send_until_full(serving, deaf, say(b"x" * 4096, times=15))
        other.send(say(b"other"))
        serving.turn()
        assert heard_by(other) == [b"other"]
        assert serving.read(deaf) == [b"x" * 4096 * 15] * times


def test_clients_come_and_go(serving: Any) -> None:
    for _ in range(50):
        with serving.connect() as client:
            client.send(say(b"word"))
        serving.turn(4)
    assert serving.heard == [b"word"] * 50
    assert len(serving.selector.get_map()) == 1


@contextmanager
def descriptors_used_up() -> Iterator[Any]:
    """No room for one more, until the end of the block."""
    _, most = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, most))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_without_descriptors_clients_are_turned_away_and_the_others_served(
    serving: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with serving.connect() as served, waiting_at(serving.path) as waiting:
        with descriptors_used_up():
            serving.turn(10)
            served.send(say(b"still here"))
            serving.turn()
            assert heard_by(served) == [b"still here"]
            assert not serving.selector.select(0)  # nothing is left that would wake it for ever
            assert waiting.recv(1) == b""
        (line,) = (record.getMessage() for record in caplog.records)
        assert line == f"Client turned away at {serving.path}: Too many open files"
        with serving.connect() as later:
            later.send(say(b"room again"))
            serving.turn()
            assert heard_by(later) == [b"room again"]


def test_a_user_has_so_many_clients_and_the_others_are_served(
    serving: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [serving.connect() for _ in range(MOST_CLIENTS_OF_A_USER)]
    for client in clients[1:]:
        client.send(say(b"x" * 4096)[:-1])  # half-sent frames hold places, and harm nobody else
    serving.turn(4)
    for _ in range(3):
        with serving.connect() as late:
            assert late.recv(1) == b""
    (line,) = caplog.messages
    assert line == f"Clients of user {os.getuid()} turned away: {len(clients)} are connected"
    another = Credentials(1, os.getuid() + 1, 1)
    monkeypatch.setattr(server, "credentials", lambda _: another)
    with serving.connect() as other:
        other.send(say(b"served"))
        serving.turn()
        assert heard_by(other) == [b"served"]
    monkeypatch.undo()
    for client in clients:
        client.close()
    serving.turn(4)
    with serving.connect() as again:
        again.send(say(b"room again"))
        serving.turn()
        assert heard_by(again) == [b"room again"]


def test_all_users_together_have_so_many_clients(
    serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = iter(range(MOST_CLIENTS + 1))
    monkeypatch.setattr(server, "credentials", lambda _: Credentials(1, next(users), 1))
    clients = [serving.connect() for _ in range(MOST_CLIENTS)]
    with serving.connect() as late:
        assert late.recv(1) == b""
    for client in clients:
        client.close()


def test_a_frame_that_is_too_long_takes_no_memory() -> None:
    connection = Connection(dispatcher())
    feed(connection, b"\xff\xff\xff\xff" + bytes(8))
    assert take(connection)
    for _ in range(100):
        feed(connection, bytes(16384))
        assert connection._filled == 0


def test_a_socket_whose_backlog_is_full_is_somebody_elses(tmp_path: Path) -> None:
    """Its owner accepts nobody: a connect(2) that waits would wait for ever."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as squatter, ExitStack() as clients:
        squatter.bind(str(path))
        squatter.listen(0)
        while True:
            client = clients.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            if client.connect_ex(str(path)):
                break
        with pytest.raises(OSError, match="another process serves it"):
            Serving(path)


def waiting_at(path: Any) -> Any:
    """A client that nobody has accepted yet."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(path)
    return client


def test_a_client_that_goes_amid_its_answers_harms_nobody(serving: Any) -> None:
    with serving.connect() as client, serving.connect() as other:
        client.send(b"".join(say(b"x" * 4096, times=15) for _ in range(10)))
        serving.turn(2)
        client.close()
        serving.turn(20)
        other.send(say(b"other"))
        serving.turn()
        assert heard_by(other) == [b"other"]


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with closing(Serving(path)) as serving, serving.connect() as client:
        client.send(say(b"word"))
        serving.turn()
        assert heard_by(client) == [b"word"]
    assert not path.exists()


def test_a_socket_that_is_served_is_left_alone(serving: Any) -> None:
    with pytest.raises(OSError, match="another process serves it"):
        Serving(serving.path)
    serving.turn(3)
    with serving.connect() as client:
        client.send(say(b"word"))
        serving.turn()
        assert heard_by(client) == [b"word"]


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    path.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        Serving(path)
    assert path.read_text() == "mine"


def test_a_name_that_somebody_took_over_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with closing(Serving(path)):
        path.unlink()
        path.write_text("somebody else's")
    assert path.exists()


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_mode_says_who_may_connect(tmp_path: Path, mode: int) -> None:
    mask = os.umask(0)
    try:
        with closing(Serving(tmp_path / "socket", mode=mode)) as serving:
            assert stat.S_IMODE(Path(serving.path).stat().st_mode) == mode
            assert os.umask(0) == 0
    finally:
        os.umask(mask)


def test_the_kernel_says_who_connects(tmp_path: Path) -> None:
    seen = []

    def allowed(pid: Any, uid: Any, gid: Any) -> bool:
        seen.append((pid, uid, gid))
        return len(seen) > 1

    with closing(Serving(tmp_path / "socket", allowed=allowed)) as serving:
        with serving.connect() as refused:
            assert refused.recv(1) == b""
        with serving.connect() as welcome:
            welcome.send(say(b"word"))
            serving.turn()
            assert heard_by(welcome) == [b"word"]
    assert seen == [(os.getpid(), os.getuid(), os.getgid())] * 2
