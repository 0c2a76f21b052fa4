# SPDX-License-Identifier: GPL-2.0-or-later
"""Key Managers that start at the same moment in one network namespace: one serves its SPD and SAD.

Each of the programs is held where it has seen that nobody serves, until all of them are there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.processes import ROOT
from tests.attacks.namespace import Namespace
from tests.attacks.test_second_manager import OTHER_USER
from tests.unit.tkm.keymanager_files import OWN, key_der, options
from tests.unit.trusted import ADDRESSES, NAMES, config_of, pki
from tkm.config import conf
from tkm.rpc import rpc2
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.result import Disconnected

HELD = """
import sys
from tkm.daemon import main
checked = main.check_unserved
def hold(*arguments):
    checked(*arguments)
    print("checked", flush=True)
    sys.stdin.readline()
main.check_unserved = hold
sys.exit(main.main())
"""
SQUATTER = """
import os, socket, sys
user, queue = map(int, sys.argv[1:])
os.setresuid(user, user, user)
with socket.socket(socket.AF_UNIX) as squatter:
    squatter.bind("\\0tkm_keymanager")
    if queue >= 0:
        squatter.listen(queue)
    held = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for client in held:
        client.setblocking(False)
        if queue == 0:
            client.connect_ex("\\0tkm_keymanager")
    print("ready", flush=True)
    sys.stdin.read()
"""
DEADLINE = 30.0


class Manager:
    """A Key Manager of alice or of bob that is starting; their policies differ."""

    def __init__(self, folder: Path, host: str, path: str, namespace: Namespace) -> None:
        self.host, self.path = host, path
        folder.mkdir()
        (folder / "tkm.conf").write_text(conf.render(config_of(host)))
        (folder / "ca.der").write_bytes(pki().ca.root.certificate.der)
        key = folder / "key.der"
        key.touch(OWN)
        key.write_bytes(key_der(pki().keys[host]))
        argv = [*namespace.enter, sys.executable, "-c", HELD, *options(folder), "--socket", path]
        pipes: dict[str, Any] = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        self.process = subprocess.Popen(
            argv, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, **pipes
        )

    def is_held(self) -> bool:
        """It has seen that nobody serves, and goes on once it is let."""
        assert self.process.stdout
        line: str = self.process.stdout.readline()
        return line == "checked\n"

    def let_go(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def serves(self) -> bool:
        """Wait until it serves, or has ended."""
        while self.process.poll() is None:
            with (
                suppress(Disconnected),
                closing(SocketTransport(self.path, rpc2.RPC2)) as transport,
            ):
                Client(rpc2.RPC2, transport).call(rpc2.TkmVersion())
                return self.process.poll() is None
        return False

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def squatter(namespace: Namespace, user: int, queue: int) -> Iterator[None]:
    """A process of that user that has the name, and listens if the queue is not negative."""
    argv = [*namespace.enter, sys.executable, "-c", SQUATTER, str(user), str(queue)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield
        process.kill()


def hosts_of(policies: list[str]) -> set[str]:
    """Whose policies these are: a host's go out from its address."""
    sources = {
        line.split()[1].partition("/")[0]
        for line, after in pairwise(policies)
        if line.startswith("src") and "dir out" in after
    }
    return {name for name in NAMES if str(ADDRESSES[name]) in sources}


@pytest.mark.parametrize("sockets", ["one socket", "a socket each"])
def test_one_serves_and_the_other_has_touched_nothing(
    tmp_path: Path, namespace: Namespace, sockets: str
) -> None:
    with ExitStack() as stack:
        managers = [
            stack.enter_context(
                Manager(
                    tmp_path / host,
                    host,
                    str(tmp_path / ("socket" if sockets == "one socket" else f"socket-{host}")),
                    namespace,
                )
            )
            for host in NAMES
        ]
        for manager in managers:
            assert manager.is_held()
        for manager in managers:
            manager.let_go()
        loser = first_to_end(managers)
        (winner,) = (manager for manager in managers if manager is not loser)
        assert winner.serves()
        assert hosts_of(namespace.policies) == {winner.host}
        _, log = loser.process.communicate(timeout=DEADLINE)
        assert loser.process.returncode == 1
        assert log.splitlines()[-1].endswith("another Key Manager serves this kernel")
        assert not [line for line in log.splitlines() if "policy" in line or "Flush" in line]
        assert hosts_of(namespace.policies) == {winner.host}


def first_to_end(managers: list[Manager]) -> Manager:
    """One that ends; both serve if none does."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        for manager in managers:
            with suppress(subprocess.TimeoutExpired):
                manager.process.wait(0.05)
                return manager
    pytest.fail("both serve")


@pytest.mark.parametrize("queue", [-1, 0, 8], ids=["does not listen", "full backlog", "listens"])
def test_another_user_who_has_the_name_keeps_no_policy_from_being_installed(
    tmp_path: Path, namespace: Namespace, queue: int
) -> None:
    with (
        squatter(namespace, OTHER_USER, queue),
        Manager(tmp_path / "alice", "alice", str(tmp_path / "socket"), namespace) as manager,
    ):
        assert manager.is_held()
        manager.let_go()
        assert manager.serves()
        assert hosts_of(namespace.policies) == {"alice"}


def test_when_one_has_ended_the_next_one_serves(tmp_path: Path, namespace: Namespace) -> None:
    for host in NAMES:
        with Manager(tmp_path / host, host, str(tmp_path / "socket"), namespace) as manager:
            assert manager.is_held()
            manager.let_go()
            assert manager.serves()
            assert hosts_of(namespace.policies) == {host}
