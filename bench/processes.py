# SPDX-License-Identifier: GPL-2.0-or-later
"""Key Managers for the benches: real processes, in fresh interpreters that import only ``tkm``."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.unit.tkm.keymanager_files import OWN, key_der, options
from tests.unit.trusted import Identities, config_of, pki
from tkm.config import conf
from tkm.config.policy import Config
from tkm.rpc.client import SocketTransport
from tkm.rpc.interface import Interface
from tkm.rpc.result import Disconnected

ROOT = Path(__file__).parents[1]
NAMESPACE = ("unshare", "--net", *(() if os.getuid() == 0 else ("--map-root-user",)))
REAL = (*NAMESPACE, sys.executable, "-m", "tkm.daemon.main")
"""The program itself, in a network namespace that is thrown away with it."""
NOTING = (sys.executable, str(ROOT / "bench" / "noting_keymanager.py"))
"""The program on a kernel that only notes down, so that ESP is not needed."""
DEADLINE = 30.0


class KeyManagerProcess:
    """The Key Manager of a host, until the end of the block.

    :param folder: an empty one; all it needs goes there.
    :param program: :data:`REAL` or :data:`NOTING`.
    :param more: options.
    :param identities: the hosts' certificates and keys; those of the tests by default.
    :param config: what is allowed; that of the tests by default.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        program: tuple[str, ...],
        *more: str,
        identities: Identities | None = None,
        config: Config | None = None,
    ) -> None:
        identities = identities or pki()
        (folder / "tkm.conf").write_text(conf.render(config or config_of(host)))
        (folder / "ca.der").write_bytes(identities.ca.root.certificate.der)
        key = folder / "key.der"
        key.touch(OWN)
        key.write_bytes(key_der(identities.keys[host]))
        self.path = str(folder / "socket")
        self._errors = folder / "errors"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [*program, *options(folder), "--socket", self.path, "--log", os.devnull, *more],
                stderr=errors,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def transport(self, interface: Interface) -> SocketTransport:
        """A connection, as soon as there is one.

        :raises Disconnected: it has ended, or does not begin to serve.
        """
        until = time.monotonic() + DEADLINE
        while True:
            try:
                return SocketTransport(self.path, interface)
            except Disconnected:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise
                select.select([], [], [], 0.01)

    def connect(self) -> socket.socket:
        """A bare connection.

        :raises OSError: there is none, or later: it waited too long.
        """
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.settimeout(DEADLINE)
        stream.connect(self.path)
        return stream

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def end(self) -> str:
        """How it ended, though nobody asked it to; empty if it runs on, though it breaks off."""
        try:
            self._process.wait(1)  # its connections go first, then the process
        except subprocess.TimeoutExpired:
            return ""
        errors = self._errors.read_text(errors="replace").splitlines() or ["without a word"]
        return f"it ended with code {self._process.returncode}: {errors[-1]}"

    def memory(self) -> dict[str, float]:
        """Resident memory in MB: VmRSS in sum, RssAnon its own, RssFile of files (shared)."""
        return self._read("status", "VmRSS", "RssAnon", "RssFile")

    def shares(self) -> dict[str, float]:
        """What the resident memory is made of, in MB; empty for who may not look."""
        kinds = ("Rss", "Pss", "Shared_Clean", "Private_Clean", "Private_Dirty", "Anonymous")
        try:
            return self._read("smaps_rollup", *kinds)
        except PermissionError:
            return {}

    def _read(self, table: str, *names: str) -> dict[str, float]:
        text = Path(f"/proc/{self._process.pid}/{table}").read_text()
        rows = (line.partition(":") for line in text.splitlines())
        return {name: int(value.split()[0]) / 1024 for name, _, value in rows if name in names}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
