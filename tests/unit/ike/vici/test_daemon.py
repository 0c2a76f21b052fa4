# SPDX-License-Identifier: GPL-2.0-or-later
"""The control interface of running daemons, as the ``vici`` library sees it."""

import contextlib
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from vici import Session
from vici.exception import CommandException

from ike.vici import packet
from ike.vici.packet import Packet, PacketType
from tests.unit.ike.daemons import ADDRESSES, DEADLINE, Node, wait_for

Daemons = list[subprocess.Popen[bytes]]


@contextlib.contextmanager
def connection(node: Node) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        client.connect(str(node.folder / "vici"))
        yield client


@pytest.fixture
def session(nodes: list[Node], daemons: Daemons) -> Iterator[Session]:
    """A session with alice."""
    with connection(nodes[0]) as client:
        yield Session(client)


def only_sa(session: Session) -> dict[str, Any]:
    (listed,) = session.list_sas()
    return dict(listed["net"])


def only_child(session: Session) -> dict[str, Any]:
    (child,) = only_sa(session)["child-sas"].values()
    return dict(child)


def numbers(session: Session) -> tuple[list[bytes], list[bytes]]:
    """Of all IKE SAs, and of all their Child SAs."""
    sas = [sa["net"] for sa in session.list_sas()]
    children = [child["uniqueid"] for sa in sas for child in sa["child-sas"].values()]
    return [sa["uniqueid"] for sa in sas], children


def test_a_whole_life(nodes: list[Node], session: Session) -> None:
    assert session.version()["daemon"] == b"tkm_iked"
    lines = [line["msg"] for line in session.initiate({"child": "net", "ike": "net"})]
    assert any(line.startswith(b"initiating IKE_SA net[1]") for line in lines)
    assert any(line.startswith(b"CHILD_SA net{1} established") for line in lines)
    sa = only_sa(session)
    assert (sa["state"], sa["initiator"], sa["remote-host"]) == (
        b"ESTABLISHED",
        b"yes",
        ADDRESSES["bob"].encode(),
    )
    child = only_child(session)
    kernel = {state.spi.hex().encode() for state in nodes[0].tkm.kernel.states}
    assert {child["spi-in"], child["spi-out"]} == kernel
    assert "dh-group" not in child
    session.rekey({"child": "net"})
    wait_for(lambda: numbers(session) == ([b"1"], [b"2"]))
    assert only_child(session)["dh-group"] == b"MODP_3072"
    session.rekey({"ike": "net"})
    wait_for(lambda: numbers(session) == ([b"2"], [b"2"]))
    list(session.terminate({"ike": "net"}))
    assert list(session.list_sas()) == []
    assert not nodes[0].tkm.kernel.states


def test_events_of_the_other_side(nodes: list[Node], session: Session) -> None:
    wanted = ["ike-updown", "child-updown", "child-rekey", "ike-rekey"]
    with (
        connection(nodes[1]) as client,
        contextlib.closing(Session(client).listen(wanted, timeout=0.05)) as heard,
    ):
        assert next(heard) == (None, None)
        list(session.initiate({"child": "net"}))
        events = (event for event in heard if event[0])
        for expected in (b"ike-updown", b"child-updown"):
            name, message = next(events)
            assert (name, message["up"]) == (expected, b"yes")
            assert "initiator" not in message["net"]
        session.rekey({"child": "net"})
        name, message = next(events)
        assert name == b"child-rekey"
        list(session.terminate({"ike": "net"}))
        for expected in (b"child-updown", b"ike-updown"):
            name, message = next(events)
            assert name == expected
            assert "up" not in message


def test_load_all(nodes: list[Node], session: Session) -> None:
    folder = nodes[0].folder
    session.load_cert(
        {"type": "X509", "flag": "CA", "data": (folder / "x509ca" / "ca.der").read_bytes()}
    )
    (before,) = session.list_conns()
    session.load_conn(
        {
            "net": {
                "local_addrs": [ADDRESSES["alice"]],
                "remote_addrs": [ADDRESSES["bob"]],
                "proposals": ["aes256-sha512-modp3072"],
                "local": {
                    "id": before["net"]["local-1"]["id"],
                    "certs": [(folder / "x509" / "own.der").read_bytes()],
                },
                "remote": {"id": before["net"]["remote-1"]["id"]},
                "children": {
                    "again": {
                        "reqid": 1,
                        "mode": "transport",
                        "esp_proposals": ["aes256-sha512-modp3072"],
                    }
                },
            }
        }
    )
    assert session.get_conns() == {"conns": [b"net"]}
    list(session.initiate({"child": "again"}))
    assert only_child(session)["name"] == b"again"


def test_refusals(session: Session) -> None:
    with pytest.raises(CommandException, match="belong to the TKM"):
        session.load_key({"type": "any", "data": "x"})
    with pytest.raises(CommandException, match="CHILD_SA config 'nix' not found"):
        list(session.initiate({"child": "nix"}))


def test_a_deadline(nodes: list[Node], daemons: Daemons, session: Session) -> None:
    daemons[1].kill()
    daemons[1].wait()
    start = time.monotonic()
    with pytest.raises(CommandException, match="not established in time"):
        list(session.initiate({"child": "net", "timeout": 300}))
    assert 0.3 <= time.monotonic() - start < 1.5


def test_half_a_packet_keeps_nobody_waiting(nodes: list[Node], session: Session) -> None:
    with connection(nodes[0]) as slow:
        slow.send(Packet(PacketType.CMD_REQUEST, "version").encode()[:-1])
        assert session.version()["daemon"] == b"tkm_iked"
        slow.send(b"n")
        assert slow.recv(4)


def test_who_does_not_read_keeps_nobody_waiting(nodes: list[Node], session: Session) -> None:
    request = Packet(PacketType.CMD_REQUEST, "stats").encode()
    with connection(nodes[0]) as deaf:
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                deaf.send(request * 100)
        assert session.version()["daemon"] == b"tkm_iked"
        list(session.initiate({"child": "net"}))
        assert len(list(session.list_sas())) == 1


def test_a_broken_stream_is_hung_up_on(nodes: list[Node], session: Session) -> None:
    with connection(nodes[0]) as client:
        client.send((packet.LONGEST + 1).to_bytes(4, "big"))
        assert client.recv(1) == b""
    assert session.version()["daemon"] == b"tkm_iked"


def test_a_client_that_goes_in_the_middle(nodes: list[Node], session: Session) -> None:
    with connection(nodes[0]) as client:
        client.send(packet.pack(PacketType.CMD_REQUEST, "initiate", {"child": "net"}))
    wait_for(lambda: len(list(session.list_sas())) == 1)


def test_the_socket(nodes: list[Node], daemons: Daemons) -> None:
    path = nodes[0].folder / "vici"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    daemons[0].send_signal(signal.SIGTERM)
    assert daemons[0].wait(DEADLINE) == 0
    assert not path.exists()


def test_a_socket_that_somebody_serves(nodes: list[Node], daemons: Daemons) -> None:
    alice, bob = nodes
    (bob.folder / "vici").unlink()
    (bob.folder / "vici").symlink_to(alice.folder / "vici")
    daemons[1].kill()
    daemons[1].wait()
    again = bob.spawn()
    assert again.wait(DEADLINE) == 1
    assert "another process serves it" in bob.log.read_text()
    with connection(alice) as client:
        assert Session(client).version()
