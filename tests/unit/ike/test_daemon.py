# SPDX-License-Identifier: GPL-2.0-or-later
"""The program: two tkm_iked processes on loopback, each with a TKM served from this process."""

import contextlib
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ike.daemon import main
from tests.unit import trusted
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.ees import EES, EsaAcquire, EsaExpire
from tkm.rpc.interface import Request
from tkm.rpc.result import Disconnected, Refused, Result
from tkm.rpc.server import Server

ADDRESSES = {"alice": "127.0.0.1", "bob": "127.0.0.2"}
DEADLINE = 20.0

CONFIG = """\
connections {{
  net {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    proposals = aes256-sha512-modp3072
    local {{ auth = pubkey
      certs = own.der
      id = {local_id} }}
    remote {{ auth = pubkey
      id = {remote_id} }}
    children {{
      net {{
        reqid = 1
        mode = transport
        esp_proposals = aes256-sha512-modp3072
        start_action = trap
        life_time = 60s
        rekey_time = 30s
      }}
    }}
  }}
}}
"""


class Tkm:
    """A TKM on a socket, served by a thread of its own."""

    def __init__(self, host: trusted.Host, path: Path) -> None:
        self.kernel = host.kernel
        self._selector = selectors.DefaultSelector()
        self._stop, wakeup = socket.socketpair()
        self._selector.register(wakeup, selectors.EVENT_READ, self._end)
        self._running = True
        self._wakeup = wakeup
        self._server = Server(str(path), host.manager.dispatcher(), self._selector)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._running:
            for key, _ in self._selector.select():
                key.data()

    def _end(self) -> None:
        self._running = False

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._stop.send(b"!")
        self._thread.join()
        self._server.close()
        self._selector.close()
        self._stop.close()
        self._wakeup.close()


class Node:
    """A host: TKM and tkm_iked."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        host = trusted.host(name)
        self.folder = folder
        self._write(name, host)
        self.tkm = Tkm(host, folder / "rpc")
        self.log = folder / "log"
        self._port = port

    def _write(self, name: str, host: trusted.Host) -> None:
        (other,) = (each for each in ADDRESSES if each != name)
        for sub, file, octets in (("x509", "own", host.certificate), ("x509ca", "ca", host.ca)):
            (self.folder / sub).mkdir(parents=True)
            (self.folder / sub / f"{file}.der").write_bytes(octets)
        text = CONFIG.format(
            local=ADDRESSES[name],
            remote=ADDRESSES[other],
            local_id=trusted.identity(name),
            remote_id=trusted.identity(other),
        )
        (self.folder / "swanctl.conf").write_text(text)

    def start(self) -> subprocess.Popen[bytes]:
        """Run the daemon until its event service answers."""
        sockets = [f"--rpc-socket={self.folder}/rpc", f"--ees-socket={self.folder}/ees"]
        config = ["-c", f"{self.folder}/swanctl.conf", f"--port={self._port}"]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ike.daemon", *config, *sockets], stderr=log
            )
        wait_for((self.folder / "ees").exists, process)
        return process


def wait_for(
    condition: Callable[[], object], process: subprocess.Popen[bytes] | None = None
) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        if process:
            assert process.poll() is None, "the daemon is gone"
        threading.Event().wait(0.01)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    port = free_port()
    made = [Node(name, tmp_path / name, port) for name in ADDRESSES]
    yield made
    for node in made:
        node.tkm.close()


@pytest.fixture
def daemons(nodes: list[Node]) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [node.start() for node in nodes]
    yield processes
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


def ask(node: Node, request: Request[Any]) -> None:
    with contextlib.closing(SocketTransport(str(node.folder / "ees"), EES)) as transport:
        Client(EES, transport).call(request)


def test_acquire_rekey_and_shutdown(
    nodes: list[Node], daemons: list[subprocess.Popen[bytes]]
) -> None:
    alice, bob = nodes
    ask(alice, EsaAcquire(sp_id=1))
    wait_for(lambda: alice.tkm.kernel.states)
    assert alice.tkm.kernel.states == bob.tkm.kernel.states
    (outbound,) = (s for s in alice.tkm.kernel.states if s.source == "192.168.0.1")
    ask(alice, EsaExpire(sp_id=1, spi_rem=outbound.spi, protocol=50, hard=False))
    wait_for(lambda: outbound not in alice.tkm.kernel.states | bob.tkm.kernel.states)
    wait_for(lambda: alice.tkm.kernel.states == bob.tkm.kernel.states)
    assert len(alice.tkm.kernel.states) == 2
    daemons[1].send_signal(signal.SIGTERM)
    assert daemons[1].wait(DEADLINE) == 0
    wait_for(lambda: not alice.tkm.kernel.states)
    assert not bob.tkm.kernel.states
    daemons[0].send_signal(signal.SIGINT)
    assert daemons[0].wait(DEADLINE) == 0
    assert not (alice.folder / "ees").exists()
    log = alice.log.read_text()
    assert "ees: acquire received for reqid 1" in log
    expired = f"ees: expire received for reqid 1, spi {outbound.spi.hex()}, dst 127.0.0.2"
    assert expired in log


def test_both_acquire_at_once(nodes: list[Node], daemons: list[subprocess.Popen[bytes]]) -> None:
    for node in nodes:
        ask(node, EsaAcquire(sp_id=1))
    for node in nodes:
        wait_for(lambda node=node: node.tkm.kernel.states)
    wait_for(lambda: nodes[0].tkm.kernel.states == nodes[1].tkm.kernel.states)


def test_unknown_policy(nodes: list[Node], daemons: list[subprocess.Popen[bytes]]) -> None:
    with pytest.raises(Refused) as refused:
        ask(nodes[0], EsaAcquire(sp_id=2))
    assert refused.value.result == Result.INVALID_ID


def test_lost_tkm_is_fatal(nodes: list[Node], daemons: list[subprocess.Popen[bytes]]) -> None:
    nodes[0].tkm.close()
    with pytest.raises(Disconnected):
        ask(nodes[0], EsaAcquire(sp_id=1))
    assert daemons[0].wait(DEADLINE) == 1


def test_no_tkm(tmp_path: Path, nodes: list[Node], capfd: pytest.CaptureFixture[str]) -> None:
    path = nodes[0].folder / "swanctl.conf"
    assert main(["-c", str(path), "--rpc-socket", str(tmp_path / "nobody")]) == 1
    assert "nobody answers" in capfd.readouterr().err


def test_no_configuration(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", str(tmp_path / "none.conf")]) == 1
    assert "none.conf: No such file or directory" in capfd.readouterr().err


def test_wrong_use() -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
