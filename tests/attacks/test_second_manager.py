# SPDX-License-Identifier: GPL-2.0-or-later
"""Two Key Managers at one socket, and others who hold its name: what becomes of the SPD.

The programs themselves run, in one network namespace with a real XFRM.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench.processes import REAL, KeyManagerProcess
from tests.attacks.namespace import Namespace
from tests.unit.trusted import config_of
from tkm.config import conf
from tkm.rpc import rpc2
from tkm.rpc.client import Client

OTHER_USER = 65534
SQUATTER = """
import os, socket, sys
path, user, clients = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.setresuid(user, user, user)
with socket.socket(socket.AF_UNIX) as squatter:
    squatter.bind(path)
    squatter.listen(0)
    held = [socket.socket(socket.AF_UNIX) for _ in range(clients)]
    for client in held:
        client.setblocking(False)
        client.connect_ex(path)
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def first(tmp_path: Path) -> Iterator[KeyManagerProcess]:
    """alice's Key Manager, which serves."""
    with KeyManagerProcess(tmp_path, "alice", REAL) as process:
        yield process


def with_other_policies(folder: Path) -> None:
    """tkm.conf is bob's from now on."""
    (folder / "tkm.conf").write_text(conf.render(config_of("bob")))


@contextmanager
def squatter(path: str, user: int, clients: int = 0) -> Iterator[None]:
    """A process of that user that holds a name, and accepts nobody."""
    argv = [sys.executable, "-c", SQUATTER, path, str(user), str(clients)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield
        process.kill()


def test_a_second_manager_changes_no_policy_of_the_first(
    tmp_path: Path, first: KeyManagerProcess
) -> None:
    transport = first.transport(rpc2.RPC2)
    namespace = Namespace(first.pid)
    before = namespace.policies
    assert before
    with_other_policies(tmp_path)
    code, line = namespace.second_manager(tmp_path, first.path)
    assert (code, line.endswith(f"{first.path}: another process serves it")) == (1, True), line
    assert namespace.policies == before
    assert Client(rpc2.RPC2, transport).call(rpc2.TkmVersion())
    transport.close()


@pytest.mark.parametrize(
    "holder", ["socket", "full backlog", "link to root's socket", "link to a file", "file"]
)
def test_who_else_holds_the_name_does_not_keep_policies_from_being_installed(
    tmp_path: Path, first: KeyManagerProcess, namespace: Namespace, holder: str
) -> None:
    first.transport(rpc2.RPC2).close()
    assert namespace.policies == []
    for folder in (tmp_path, *tmp_path.parents[:3]):  # another user gets there
        folder.chmod(folder.stat().st_mode | 0o011)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    path = str(shared / "tkm.rpc.ike")
    with ExitStack() as stack:
        if holder == "link to root's socket":
            Path(path).symlink_to(first.path)
        elif holder == "link to a file":
            Path(path).symlink_to("/etc/passwd")
        elif holder == "file":
            Path(path).touch()
        else:
            clients = 5 if holder == "full backlog" else 0
            stack.enter_context(squatter(path, OTHER_USER, clients))
        code, line = namespace.second_manager(tmp_path, path)
    assert code == 1
    assert f"{path}: " in line
    assert namespace.policies


def test_a_first_manager_whose_backlog_is_full_is_not_disturbed_either(
    tmp_path: Path, first: KeyManagerProcess, namespace: Namespace
) -> None:
    first.transport(rpc2.RPC2).close()
    path = str(tmp_path / "busy")
    with squatter(path, os.getuid(), 5):
        assert namespace.second_manager(tmp_path, path)[0] == 1
    assert namespace.policies == []
