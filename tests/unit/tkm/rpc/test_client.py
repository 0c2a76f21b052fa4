# SPDX-License-Identifier: GPL-2.0-or-later
"""The calling side: what it makes of good answers, bad answers and none."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tkm.rpc.echo import ECHO, Fail, Say, WordReply, dispatcher
from tests.unit.tkm.rpc.feeding import feed, take
from tkm.rpc import client as client_module
from tkm.rpc.client import Client, SocketTransport, connect
from tkm.rpc.interface import Header, SizedFrames
from tkm.rpc.listener import Credentials
from tkm.rpc.result import Disconnected, FieldError, FrameError, Refused, Result
from tkm.rpc.server import Connection

FRAMES = SizedFrames()
WORD = Say(word=b"word", times=2)
GOOD = FRAMES.response(Header(Say.code, 1), WordReply(word=b"wordword").encode())


def answering(octets: Any) -> Any:
    """A client that gets these octets, whatever it asks."""
    return Client(ECHO, lambda _: octets)


def carry(frame: Any) -> bytes:
    connection = Connection(dispatcher())
    feed(connection, frame)
    return take(connection)


def test_a_call_gives_the_reply() -> None:
    client = Client(ECHO, carry)
    for _ in range(3):
        assert client.call(WORD) == WordReply(word=b"wordword")


@pytest.mark.parametrize("result", [result for result in Result if result])
def test_another_result_is_a_refusal(result: Any) -> None:
    with pytest.raises(Refused, match=f"fail: {result.name}") as caught:
        Client(ECHO, carry).call(Fail(result=result))
    assert caught.value.result is result


def test_a_result_that_nobody_knows_is_a_refusal() -> None:
    with pytest.raises(Refused) as caught:
        answering(FRAMES.response(Header(Say.code, 1, 0x777), b"")).call(WORD)
    assert caught.value.result is Result.ABORTED


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "0 octets are no response"),
        (GOOD[:-1], "octets are no response"),
        (b"\xff" * 12, "octets are no response"),
        (FRAMES.response(Header(Say.code, 2), b"\0\0\0\1a"), "response to request 2"),
        (FRAMES.response(Header(Fail.code, 1), b"\0\0\0\1a"), "of operation 0x"),
        (GOOD + b"\0", "octets are no response"),
        (GOOD + GOOD, "octets are no response"),
        (FRAMES.response(Header(Say.code, 1), b"\0\0\0\2a"), "word: the body ends"),
        (FRAMES.response(Header(Say.code, 1), b""), "word: the body ends"),
    ],
)
def test_what_is_no_answer_is_told_so(octets: Any, reason: str) -> None:
    with pytest.raises(FrameError, match=f"say: .*{reason}"):
        answering(octets).call(WORD)


def test_a_bad_request_is_not_sent() -> None:
    with pytest.raises(FieldError, match="times: 0 is not in 1 to 255"):
        Client(ECHO, lambda _: pytest.fail("it was sent")).call(Say(word=b"a", times=0))


def test_request_ids_differ_and_start_again() -> None:
    client = Client(ECHO, carry)
    client._last_id = 0xFFFFFFFE
    for _ in range(3):
        client.call(WORD)
    assert client._last_id == 1


@contextmanager
def listening(path: Any, behave: Any) -> Iterator[Any]:
    """A server that lets one client in and behaves."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as client:
                behave(client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield str(path)
        thread.join()


def test_over_a_socket_that_sends_in_pieces(tmp_path: Path) -> None:
    def behave(client: Any) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for octet in carry(client.recv(4096)):
            client.send(bytes([octet]))

    with (
        listening(tmp_path / "socket", behave) as path,
        closing(SocketTransport(path, ECHO)) as transport,
    ):
        assert Client(ECHO, transport).call(WORD) == WordReply(word=b"wordword")


def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    def behave(client: Any) -> None:
        client.recv(4096)
        client.send(GOOD[:5])

    with listening(tmp_path / "socket", behave) as path:
        client = connect(ECHO, path)
        for _ in range(2):
            with pytest.raises(Disconnected):
                client.call(WORD)


def test_a_late_answer_is_not_taken_for_the_next(tmp_path: Path) -> None:
    ended = threading.Event()

    def behave(client: Any) -> None:
        client.recv(4096)
        ended.wait()

    with listening(tmp_path / "socket", behave) as path:
        client = Client(ECHO, SocketTransport(path, ECHO, deadline=0.05))
        for _ in range(2):
            with pytest.raises(Disconnected, match="the connection broke"):
                client.call(WORD)
        ended.set()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(Disconnected, match=f"nobody answers at {tmp_path}/none"):
        connect(ECHO, f"{tmp_path}/none")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{tmp_path}/dead")
    with pytest.raises(Disconnected, match="Connection refused"):
        connect(ECHO, f"{tmp_path}/dead")


def test_hanging_up(tmp_path: Path) -> None:
    with listening(tmp_path / "socket", lambda client: client.recv(1)) as path:
        with closing(SocketTransport(path, ECHO)) as transport:
            pass
        with pytest.raises(Disconnected):
            transport(b"more")


def test_a_server_of_an_unexpected_user_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(path)
        squatter.listen()
        monkeypatch.setattr(client_module, "credentials", lambda _: Credentials(1, 4242, 4242))
        with pytest.raises(Disconnected, match="is served by user 4242, who is not expected to"):
            SocketTransport(path, ECHO, servers=())
        SocketTransport(path, ECHO, servers=(4242,)).close()
        SocketTransport(path, ECHO).close()
