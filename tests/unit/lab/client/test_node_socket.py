# SPDX-License-Identifier: GPL-2.0-or-later
"""A socket in a node, as a client library sees it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from lab.client.node_socket import NodeSocket
from lab.errors import LabError
from lab.protocol.channel import Channel, Decoder, encode

DIAL = {"do": "dial", "node": "alice", "socket": "/run/it"}


Dial = Callable[..., tuple[NodeSocket, socket.socket]]


@pytest.fixture
def dialled() -> Iterator[Dial]:
    """Connects; gives the socket, and the agent's end, which has said all it will say."""
    ours, theirs = socket.socketpair()

    def dial(*answers: bytes) -> tuple[NodeSocket, socket.socket]:
        theirs.sendall(b"".join(answers))
        return NodeSocket(Channel(ours), "alice", "/run/it"), theirs

    with ours, theirs:
        yield dial


def said(agent: socket.socket) -> list[tuple[dict[str, object], bytes]]:
    return [(message[0], message[1]) for message in Decoder().feed(agent.recv(65536))]


CONNECTED = encode({"event": "connected"})


def test_octets_come_in_the_pieces_that_are_asked_for(dialled: Dial) -> None:
    octets = [encode({"event": "octets"}, piece) for piece in (b"abcde", b"fg", b"")]
    sock, _ = dialled(CONNECTED, *octets)
    assert [sock.recv(n) for n in (2, 10, 4)] == [b"ab", b"cde", b"fg"]
    assert (sock.recv(4), sock.recv(4)) == (b"", b"")  # it has hung up, for good


def test_octets_go_as_they_are(dialled: Dial) -> None:
    sock, agent = dialled(CONNECTED)
    sock.sendall(b"hello")
    assert said(agent) == [(DIAL, b""), ({"octets": True}, b"hello")]


def test_time_runs_out(dialled: Dial) -> None:
    sock, _ = dialled(CONNECTED)
    sock.settimeout(0.01)
    with pytest.raises(TimeoutError):
        sock.recv(1)


def test_nobody_accepts(dialled: Dial) -> None:
    with pytest.raises(LabError, match="nothing accepts"):
        dialled(encode({"error": "nothing accepts at /run/it", "kind": "LabError"}))
