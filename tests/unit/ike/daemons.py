# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts for tests: tkm_iked processes on loopback, each with a TKM served from this process."""

import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.unit import trusted
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

    def __init__(self, name: str, folder: Path, ports: tuple[int, int]) -> None:
        host = trusted.host(name)
        self.folder = folder
        self._write(name, host)
        self.tkm = Tkm(host, folder / "rpc")
        self._name = name
        self.log = folder / "log"
        self._ports = ports

    def start_tkm(self) -> None:
        """Run another TKM, which knows nothing of the one before."""
        self.tkm = Tkm(trusted.host(self._name), self.folder / "rpc")

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

    def start(self, around: Sequence[str] = (), *options: str) -> subprocess.Popen[bytes]:
        """Run the daemon until its services answer."""
        process = self.spawn(around, *options)
        wait_for(self.serves, process)
        return process

    def serves(self) -> bool:
        """Whether the daemon's last service accepts connections; its socket is there earlier."""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.folder / "ees")) == 0

    def spawn(self, around: Sequence[str] = (), *options: str) -> subprocess.Popen[bytes]:
        """Run the daemon.

        :param around: a command that executes it.
        """
        names = ("rpc", "ees", "vici")
        sockets = [f"--{name}-socket={self.folder}/{name}" for name in names]
        ports = [f"--port={self._ports[0]}", f"--nat-port={self._ports[1]}"]
        config = ["-c", f"{self.folder}/swanctl.conf", *ports]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*around, sys.executable, "-m", "ike.daemon.main", *config, *sockets, *options],
                stderr=log,
            )


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
