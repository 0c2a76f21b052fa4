# SPDX-License-Identifier: GPL-2.0-or-later
"""xfrm_proxy: from the kernel's octets to those of the original on the EES socket."""

import ctypes
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tkm import structures as c
from tests.unit.tkm.rpc.feeding import feed, take
from tests.unit.tkm.rpc.test_client import listening
from tests.unit.tkm.vectors import frames
from tkm.rpc.client import Client
from tkm.rpc.ees import EES, EsaAcquire, EsaExpire
from tkm.rpc.interface import FixedFrames, Header
from tkm.rpc.record import Empty
from tkm.rpc.result import FieldError, HandlerError, Result
from tkm.rpc.server import Connection, Dispatcher
from tkm.xfrm.abi import Type
from xfrm_proxy import main as proxy
from xfrm_proxy.events import Event, translate


def netlink(kind: int, structure: ctypes.Structure, *attributes: tuple[int, bytes]) -> bytes:
    """A message as the kernel sends it."""
    body = bytes(structure)
    for number, octets in attributes:
        size = 4 + len(octets)
        body += size.to_bytes(2, "little") + number.to_bytes(2, "little") + octets
        body += bytes(-size % 4)
    head = (16 + len(body)).to_bytes(4, "little") + kind.to_bytes(2, "little")
    return head + bytes(10) + body


def template(reqid: int) -> bytes:
    made = c.UserTemplate(reqid=reqid, family=2)
    made.id.proto = 50
    return bytes(made)


def acquire(*reqids: int) -> bytes:
    structure = c.UserAcquire(seq=1, aalgos=0xFFFFFFFF)
    structure.policy.index = 99
    templates = b"".join(map(template, reqids))
    # As the kernel does: the templates, then the policy's type.
    return netlink(Type.ACQUIRE, structure, (5, templates), (16, bytes(6)))


def expire(reqid: int, spi: bytes, proto: int, hard: int) -> bytes:
    structure = c.UserExpire(hard=hard)
    structure.state.reqid = reqid
    structure.state.id.spi = c.Be32(*spi)
    structure.state.id.proto = proto
    return netlink(Type.EXPIRE, structure)


def event_of(kind: int, octets: bytes) -> Event:
    event = translate(kind, octets)
    assert event is not None
    return event


def test_an_acquire_has_the_size_that_the_original_logs() -> None:
    # "Netlink message received ( 376 bytes )"
    assert len(acquire(1)) == 376


@pytest.mark.parametrize("reqid", [0, 1, 100, 101, 0xFFFFFFFF])
def test_acquire(reqid: int) -> None:
    assert translate(Type.ACQUIRE, acquire(reqid)) == EsaAcquire(sp_id=reqid)


def test_acquire_of_a_policy_with_several_templates() -> None:
    assert translate(Type.ACQUIRE, acquire(3, 4)) == EsaAcquire(sp_id=3)


def test_acquire_without_template() -> None:
    assert translate(Type.ACQUIRE, netlink(Type.ACQUIRE, c.UserAcquire())) is None


@pytest.mark.parametrize(("proto", "hard"), [(50, 0), (50, 1), (51, 1)])
def test_expire(proto: int, hard: int) -> None:
    spi = bytes.fromhex("c0a1b2c3")
    assert translate(Type.EXPIRE, expire(7, spi, proto, hard)) == EsaExpire(
        sp_id=7, spi_rem=spi, protocol=proto, hard=bool(hard)
    )


@pytest.mark.parametrize("kind", [Type.NEWSA, 0x13, 0x19, 2, 3, 0])
def test_what_nobody_wants_to_know(kind: Any) -> None:
    assert translate(kind, bytes(400)) is None


class UnknownPolicy(HandlerError):
    result = Result.INVALID_ID


class Recorder:
    """Takes requests as the IKE daemon does, and keeps their octets."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.dispatcher = Dispatcher(EES, dict.fromkeys(EES, lambda _: Empty()))

    def __call__(self, frame: bytes) -> bytes:
        self.frames.append(frame)
        connection = Connection(self.dispatcher)
        feed(connection, frame)
        return take(connection)


@pytest.mark.parametrize(
    "row", [row for row in frames() if row["interface"] == "ees"], ids=lambda row: row["run"]
)
def test_an_acquire_is_the_originals_octet_for_octet(row: Any) -> None:
    recorder = Recorder()
    client = Client(EES, recorder)
    # The original numbers its requests from 0, and makes only one.
    client._last_id = -1
    client.call(event_of(Type.ACQUIRE, acquire(1)))
    assert recorder.frames == [bytes.fromhex(row["request"]).ljust(2048, b"\0")]
    assert recorder(recorder.frames[0]) == bytes.fromhex(row["response"]).ljust(1024, b"\0")


def test_an_expire_has_the_layout_of_the_specification() -> None:
    recorder = Recorder()
    event = event_of(Type.EXPIRE, expire(100, bytes.fromhex("c0a1b2c3"), 50, 1))
    Client(EES, recorder).call(event)
    body = bytes.fromhex("64000000c0a1b2c33200000001")
    header = FixedFrames().request(Header(0x0101, 1), b"")[:16]
    assert recorder.frames == [(header + body).ljust(2048, b"\0")]


def test_what_has_no_reqid_does_not_go_out() -> None:
    recorder = Recorder()
    with pytest.raises(FieldError):
        Client(EES, recorder).call(event_of(Type.ACQUIRE, acquire(0)))
    assert recorder.frames == []


@pytest.mark.parametrize("reqid", [1, 101, 0xFFFFFFFF])
def test_every_reqid_of_the_kernel_can_be_a_policys(reqid: int) -> None:
    recorder = Recorder()
    Client(EES, recorder).call(event_of(Type.ACQUIRE, acquire(reqid)))
    assert len(recorder.frames) == 1


class Events:
    """In the place of the netlink socket."""

    def __init__(self, *events: tuple[int, bytes]) -> None:
        self.waiting = list(events)

    def events(self) -> Iterator[Any]:
        while self.waiting:
            yield self.waiting.pop(0)


@pytest.fixture
def make_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def make(*events: Any) -> Any:
        monkeypatch.setattr(proxy, "EventSocket", lambda *_: Events(*events))
        return proxy.Proxy(f"{tmp_path}/ees")

    return make


def test_the_words_of_the_original(
    make_proxy: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    spi = bytes.fromhex("c0a1b2c3")
    recorder = Recorder()
    monkeypatch.setattr(proxy, "connect", lambda *_: Client(EES, recorder))
    make_proxy(
        (Type.ACQUIRE, acquire(1)), (0x77, b"?"), (Type.EXPIRE, expire(1, spi, 50, 0))
    ).forward()
    assert caplog.messages == [
        "Netlink message received ( 376 bytes ), type XFRM_MSG_ACQUIRE",
        "Initiating ESA acquire for reqid 1",
        f"Netlink message received ( {len(expire(1, spi, 50, 0))} bytes ), type XFRM_MSG_EXPIRE",
        "Initiating ESA expire (reqid 1, proto 50, SPI c0a1b2c3, hard FALSE)",
    ]
    assert len(recorder.frames) == 2


def test_a_daemon_that_is_not_there_is_no_reason_to_stop(
    make_proxy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made = make_proxy((Type.ACQUIRE, acquire(1)), (Type.ACQUIRE, acquire(2)))
    made.forward()
    (line,) = {line for line in caplog.messages if "not delivered" in line}
    assert line.startswith("Event not delivered: nobody answers at /")
    assert made._netlink.waiting == []


def test_what_was_not_delivered_waits_for_a_daemon(
    make_proxy: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spi = bytes.fromhex("c0a1b2c3")
    twice = (Type.ACQUIRE, acquire(1))
    made = make_proxy(twice, twice, (Type.EXPIRE, expire(1, spi, 50, 1)))
    made.forward()
    assert made.try_again()
    assert sum("not delivered" in line for line in caplog.messages) == 3
    recorder = Recorder()
    monkeypatch.setattr(proxy, "connect", lambda *_: Client(EES, recorder))
    assert made.try_again() is None
    made.try_again()
    assert len(recorder.frames) == 2


def test_what_waits_is_bounded(make_proxy: Any) -> None:
    spis = [number.to_bytes(4) for number in range(1, 400)]
    made = make_proxy(*((Type.EXPIRE, expire(1, spi, 50, 1)) for spi in spis))
    made.forward()
    assert list(made._waiting)[-1].endswith(f"SPI {spis[-1].hex()}, hard TRUE)")
    assert len(made._waiting) == proxy._MOST


def test_what_a_daemon_refuses_does_not_wait(
    make_proxy: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: Any) -> Any:
        raise UnknownPolicy("there is none")

    recorder = Recorder()
    recorder.dispatcher = Dispatcher(EES, dict.fromkeys(EES, refuse))
    monkeypatch.setattr(proxy, "connect", lambda *_: Client(EES, recorder))
    made = make_proxy((Type.ACQUIRE, acquire(1)))
    made.forward()
    assert made.try_again() is None
    assert len(recorder.frames) == 1
    assert any("Event refused" in line for line in caplog.messages)


def test_events_without_a_reqid_are_logged(
    make_proxy: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(proxy, "connect", lambda *_: Client(EES, recorder))
    make_proxy((Type.ACQUIRE, acquire(0)), (Type.ACQUIRE, acquire(5))).forward()
    assert "Not ours: sp_id: 0 is not in 1 to 4294967295" in caplog.messages
    assert len(recorder.frames) == 1


def test_a_daemon_that_was_started_again_gets_the_event(make_proxy: Any, tmp_path: Path) -> None:
    """Over real sockets: each daemon answers once and dies."""
    heard = []

    def answer_once(client: Any) -> None:
        recorder = Recorder()
        client.send(recorder(client.recv(4096)))
        heard.extend(recorder.frames)

    made = make_proxy()
    for number in (1, 2, 3):
        (tmp_path / "ees").unlink(missing_ok=True)
        with listening(tmp_path / "ees", answer_once):
            made._netlink.waiting.append((Type.ACQUIRE, acquire(number)))
            made.forward()
    assert [frame[16] for frame in heard] == [1, 2, 3]
    made._client._transport.close()
    assert threading.active_count() == 1


WITHOUT_XFRM = """
import errno, socket, sys
from xfrm_proxy import main
from tkm.xfrm import socket

def refuse(*_):
    raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

socket.socket.socket = refuse
sys.exit(main.main(["--log", sys.argv[1]]))
"""


def test_a_kernel_without_xfrm_ends_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_XFRM, str(log)], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert log.read_text().endswith(" no NETLINK_XFRM: Protocol not supported\n")
