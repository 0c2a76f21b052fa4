# SPDX-License-Identifier: GPL-2.0-or-later
"""The program: two tkm_iked processes on loopback, each with a TKM served from this process."""

import contextlib
import logging
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ike.daemon.main import main
from tests.unit.ike.daemons import DEADLINE, Node, wait_for
from tkm import VERSION
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.ees import EES, EsaAcquire, EsaExpire
from tkm.rpc.interface import Request
from tkm.rpc.result import Refused, Result


def ask(node: Node, request: Request[Any]) -> None:
    with contextlib.closing(SocketTransport(str(node.folder / "ees"), EES)) as transport:
        Client(EES, transport).call(request)


def test_acquire_rekey_and_shutdown(
    nodes: list[Node], daemons: list[subprocess.Popen[bytes]]
) -> None:
    alice, bob = nodes
    ask(alice, EsaAcquire(sp_id=1))
    wait_for(lambda: alice.tkm.kernel.states == bob.tkm.kernel.states != set())
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
        wait_for(lambda node=node: len(node.tkm.kernel.states) >= 2)  # type: ignore[misc]
    wait_for(lambda: nodes[0].tkm.kernel.states == nodes[1].tkm.kernel.states)


def test_it_reports_that_it_is_ready_alive_and_about_to_stop(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(nodes[0].folder / "notify"))
        manager.settimeout(DEADLINE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(nodes[0].folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        process = nodes[0].spawn()
        try:
            assert manager.recv(100) == b"READY=1"
            assert nodes[0].serves()
            assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        finally:
            process.terminate()
            assert process.wait(DEADLINE) == 0
        while (state := manager.recv(100)) == b"WATCHDOG=1":
            pass
        assert state == b"STOPPING=1"


def test_unknown_policy(nodes: list[Node], daemons: list[subprocess.Popen[bytes]]) -> None:
    with pytest.raises(Refused) as refused:
        ask(nodes[0], EsaAcquire(sp_id=2))
    assert refused.value.result == Result.INVALID_ID


def test_another_tkm_takes_over(nodes: list[Node], daemons: list[subprocess.Popen[bytes]]) -> None:
    alice, bob = nodes
    ask(alice, EsaAcquire(sp_id=1))
    wait_for(lambda: len(bob.tkm.kernel.states) == 2)
    before = set(bob.tkm.kernel.states)
    alice.tkm.close()
    wait_for(lambda: "the TKM is gone" in alice.log.read_text())
    ask(alice, EsaAcquire(sp_id=1))  # to no avail, and no harm
    alice.start_tkm()
    wait_for(lambda: "there is a TKM again" in alice.log.read_text(), daemons[0])
    assert not alice.tkm.kernel.states
    ask(alice, EsaAcquire(sp_id=1))
    wait_for(lambda: alice.tkm.kernel.states and alice.tkm.kernel.states == bob.tkm.kernel.states)
    assert not before & bob.tkm.kernel.states


@pytest.fixture
def own_logging() -> Iterator[None]:
    """The program sets up logging; what is logged later goes where it went before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("own_logging")
def test_no_tkm(tmp_path: Path, nodes: list[Node], capfd: pytest.CaptureFixture[str]) -> None:
    path = nodes[0].folder / "swanctl.conf"
    assert main(["-c", str(path), "--rpc-socket", str(tmp_path / "nobody")]) == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "nobody answers" in line]
    assert line.endswith("start tkm_keymanager first, or choose its socket with --rpc-socket")


@pytest.mark.usefixtures("own_logging")
def test_nowhere_to_serve_xfrm_proxy(nodes: list[Node], capfd: pytest.CaptureFixture[str]) -> None:
    process = nodes[0].spawn((), "--ees-socket", "/nonexistent/ees")
    assert process.wait(20) == 1
    last = nodes[0].log.read_text().splitlines()[-1]
    assert "/nonexistent/ees: No such file or directory" in last
    assert last.endswith("choose another path with --ees-socket")


@pytest.mark.usefixtures("own_logging")
def test_no_configuration(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", str(tmp_path / "none.conf")]) == 1
    assert "none.conf: No such file or directory" in capfd.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"tkm_iked {VERSION}\n"


def test_wrong_use() -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
