# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_keymanager as a process, in a network namespace of its own."""

import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.attacks.issuers import crl
from tests.unit.tkm.keymanager_files import options
from tests.unit.trusted import pki
from tkm.daemon import main
from tkm.generation1 import rpc1
from tkm.rpc import rpc2
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.result import Disconnected, Refused
from tkm.sandbox import privileges

NAMESPACE = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--net", "--map-root-user"]
DEADLINE = 30
LINE = re.compile(r"[A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d .+")


class Running:
    """tkm_keymanager, started."""

    def __init__(self, folder: Path, *options_: Any, **environment: Any) -> None:
        self.path = folder / "socket"
        self.process = subprocess.Popen(
            [*NAMESPACE, sys.executable, "-m", "tkm.daemon.main", *options(folder),
             "--socket", str(self.path), *options_],
            stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
        )  # fmt: skip

    def __enter__(self) -> Any:
        return self

    def client(self, interface: Any) -> Any:
        """Ready is when the socket accepts."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until and self.process.poll() is None:
            try:
                return Client(interface, SocketTransport(str(self.path), interface))
            except Disconnected:
                select.select([], [], [], 0.01)
        raise AssertionError(self.process.communicate()[1])

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.wait()
        self.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("generation", "module"), [((), rpc2), (("--rpc", "1"), rpc1)], ids=["default", "rpc 1"]
)
def test_keymanager_serves_until_a_signal_and_leaves_no_state(
    files: Path, generation: Any, module: Any, number: Any
) -> None:
    interface = module.RPC1 if module is rpc1 else module.RPC2
    with Running(files, *generation) as running:
        client = running.client(interface)
        with closing(client._transport):
            assert client.call(module.TkmVersion()).version == module.VERSION
            running.process.send_signal(number)
            _, log = running.process.communicate(timeout=DEADLINE)
        assert running.process.returncode == 0
        assert not running.path.exists()
        lines = [line.split(" ", 4)[-1] for line in log.splitlines()]
        assert f"RSA private key '{files}/key.der' loaded, key size 3072 bits" in lines
        selectors = "10.1.0.0/16 > 192.168.0.1 <=> 192.168.0.2 < 10.2.0.0/16"
        assert f"Adding policy [ 7, {selectors} ]" in lines
        assert lines[-2:] == ["Flushing SAD", "Trusted Key Manager (TKM) stopped"]
        assert "Flushing SPD" not in lines


def test_a_ca_in_pem_and_a_crl_that_revokes_the_peer(files: Path) -> None:
    ca, bob = pki().ca.root, x509.load_der_x509_certificate(pki().certificates["bob"])
    (files / "ca.der").write_bytes(ca.certificate.pem)
    name = ca.certificate.x509.subject
    (files / "ca.crl").write_bytes(crl(name, ca.key.rsa, [bob.serial_number]))
    with Running(files, "--crls", f"{files}/ca.crl") as running:
        with closing(running.client(rpc2.RPC2)._transport) as transport:
            client = Client(rpc2.RPC2, transport)
            client.call(rpc2.CcCheckCa(cc=1, ca=1, certificate=ca.certificate.der))
            client.call(rpc2.CcAddCertificate(cc=1, certificate=pki().certificates["bob"]))
            with pytest.raises(Refused):
                client.call(rpc2.CcCheckChain(cc=1, ri=7))
        running.process.terminate()
        _, log = running.process.communicate(timeout=DEADLINE)
    assert "it is revoked" in log


def test_a_stale_crl_ends_the_start(files: Path) -> None:
    ca = pki().ca.root
    name, day = ca.certificate.x509.subject, timedelta(days=1)
    stale = crl(name, ca.key.rsa, begin=datetime.now(UTC) - 2 * day, end=datetime.now(UTC) - day)
    (files / "ca.crl").write_bytes(stale)
    with Running(files, "--crls", f"{files}/ca.crl") as running:
        _, log = running.process.communicate(timeout=DEADLINE)
    assert running.process.returncode == 1
    assert f"CRL '{files}/ca.crl' is stale or not yet valid" in log.splitlines()[-1]


def test_asked_by_a_signal_it_counts_its_contexts(files: Path) -> None:
    with Running(files) as running:
        with closing(running.client(rpc2.RPC2)._transport) as transport:
            client = Client(rpc2.RPC2, transport)
            client.call(rpc2.NcCreate(nc=1, length=32))
            running.process.send_signal(signal.SIGUSR1)
            for _ in range(2):  # by the answer of the turn after the signal's it has heard
                client.call(rpc2.TkmLimits())
        running.process.terminate()
        _, log = running.process.communicate(timeout=DEADLINE)
    (told,) = [line for line in log.splitlines() if "Contexts in use" in line]
    assert told.endswith("Contexts in use: nc 1, ke 0, cc 0, ae 0, isa 0, esa 0")


def test_socket_mode_log_file_hangup_and_notification(files: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{files}/notify")
        manager.settimeout(DEADLINE)
        log = files / "log"
        with Running(
            files, "--socket-mode", "660", "--log", str(log), NOTIFY_SOCKET=f"{files}/notify"
        ) as running:
            assert manager.recv(100) == b"READY=1"
            assert stat.S_IMODE(running.path.stat().st_mode) == 0o660
            with closing(running.client(rpc2.RPC2)._transport) as transport:
                client = Client(rpc2.RPC2, transport)
                log.rename(files / "old")
                running.process.send_signal(signal.SIGHUP)
                # It hears the signal at its next turn; by the answer of the turn after it has.
                for _ in range(2):
                    client.call(rpc2.NcCreate(nc=1, length=32))
                    client.call(rpc2.NcReset(nc=1))
                running.process.terminate()
                assert manager.recv(100) == b"STOPPING=1"
                _, error = running.process.communicate(timeout=DEADLINE)
            assert (running.process.returncode, error) == (0, "")
        old, new = ((files / name).read_text().splitlines() for name in ("old", "log"))
        assert all(LINE.fullmatch(line) for line in (*old, *new))
        assert old[0].endswith("Trusted Key Manager (TKM) starting (0.1.0)")
        assert new[-1].endswith("Trusted Key Manager (TKM) stopped")


def test_signs_of_life_come_for_as_long_as_its_loop_turns(files: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{files}/notify")
        manager.settimeout(DEADLINE)
        watched = {"NOTIFY_SOCKET": f"{files}/notify", "WATCHDOG_USEC": "400000"}
        with Running(files, **watched) as running:
            assert manager.recv(100) == b"READY=1"
            assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            running.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, running.process.pid, os.WSTOPPED)
            manager.setblocking(False)
            while select.select([manager], [], [], 0)[0]:
                manager.recv(100)  # what it sent before it was stopped
            assert select.select([manager], [], [], 1)[0] == []


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--socket-mode", "8", "'8' is no mode such as 660"),
        ("--socket-mode", "1777", "'1777' is no mode such as 660"),
        ("--socket-mode", "rw", "'rw' is no mode such as 660"),
        ("--allow-user", "nobody-of-that-name", "there is no user 'nobody-of-that-name'"),
        ("--rpc", "3", "invalid choice: 3"),
        ("--contexts", "0", "'0' is no number from 1 up"),
        ("--contexts", "-1", "'-1' is no number from 1 up"),
        ("--contexts", "4294967296", "'4294967296' is no number from 1 up"),
    ],
)
def test_options_that_mean_nothing(
    files: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, reason: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main([*options(files), option, value])
    assert caught.value.code == 2
    assert reason in capsys.readouterr().err


def test_users() -> None:
    assert privileges.user_id("root") == 0
    assert privileges.user_id("1234") == 1234


def test_a_log_that_cannot_be(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main([*options(files), "--log", f"{files}/none/log"])
    assert caught.value.code == 1
    expected = f"tkm_keymanager: {files}/none/log: No such file or directory\n"
    assert capsys.readouterr().err == expected


CONNECT = """
import os, socket, sys
if int(sys.argv[1]) != os.getuid():
    os.setuid(int(sys.argv[1]))
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
client.connect(sys.argv[2])
try:
    client.send(bytes.fromhex("00000008" "0000" "0000" "00000001"))
    answer = client.recv(100)
except ConnectionError:
    answer = b""
print("served" if answer else "refused")
"""


def test_processes_of_other_users_are_refused(files: Path) -> None:
    # Only root can be others.
    others = {} if os.getuid() else {65534: "served", 65533: "refused"}
    allowed = ["--allow-user", "65534", "--socket-mode", "666"]
    with (
        tempfile.TemporaryDirectory() as folder,
        Running(files, *allowed, "--socket", f"{folder}/socket") as running,
    ):
        running.path = Path(folder) / "socket"
        running.client(rpc2.RPC2)._transport.close()
        Path(folder).chmod(0o755)
        for user, wanted in {os.getuid(): "served", **others}.items():
            command = [sys.executable, "-c", CONNECT, str(user), str(running.path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert done.stdout == f"{wanted}\n"
