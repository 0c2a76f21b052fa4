# SPDX-License-Identifier: GPL-2.0-or-later
"""Each daemon of a lab is a user of its own, and what one of them can do to the others.

The attacker has the user and the capabilities of a daemon that is not trusted, in a host of a
running lab, and no filter of system calls: the worst that is left of a subverted daemon.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.build.backends.builtin import IKED_USER, PROXY_USER, TKM_USER
from lab.build.files import KEY, TKM_CONF
from lab.client.lab import Lab
from tests.e2e.conftest import Builder
from tkm.rpc.paths import EES_SOCKET, IKE_SOCKET

ROOT = Path(__file__).parents[2]
NET_BIND_SERVICE, NET_ADMIN = 10, 12


class Process(NamedTuple):
    """What a daemon may be once it serves: its user, and its capabilities."""

    user: str
    capabilities: int


PROCESSES = {
    "tkm_keymanager": Process(TKM_USER, 1 << NET_ADMIN),
    "tkm_iked": Process(IKED_USER, 1 << NET_BIND_SERVICE),
    "xfrm_proxy": Process(PROXY_USER, 0),
}

PROGRAM = """
import ctypes, json, os, signal, socket, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tkm.errors import KernelError
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.ees import EES, EsaAcquire
from tkm.rpc.result import RpcError
from tkm.rpc.rpc2 import RPC2, TkmVersion
from tkm.sandbox import privileges
from tkm.xfrm import abi
from tkm.xfrm.kernel import XfrmKernel
from tkm.xfrm.abi import Type
from tkm.xfrm.socket import NetlinkSocket, encode, make

user, victims, files, harmless = json.loads(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
GETSA, SEIZE = 0x12, 0x4206

def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

def read_memory(pid):
    piece = ctypes.create_string_buffer(8)
    (start,) = (int(line.split("-")[0], 16)
                for line in Path(f"/proc/{pid}/maps").read_text().splitlines()[:1])
    vector = (ctypes.c_size_t * 4)(ctypes.addressof(piece), 8, start, 8)
    check(libc.process_vm_readv(pid, vector, 1, ctypes.byref(vector, 16), 1, 0))

def dump(kind):
    request = encode(Type.GETPOLICY, make(abi.PolicyIdMessage))
    request[4:6] = kind.to_bytes(2, sys.byteorder)
    list(NetlinkSocket().dump(request))

def bind(path):
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(path)

def call(path, interface, request):
    Client(interface, SocketTransport(path, interface)).call(request)

reads = {
    "states of the kernel": lambda: dump(GETSA),
    "policies of the kernel": lambda: dump(Type.GETPOLICY),
    "the private key": lambda: Path(files["key"]).read_bytes(),
    "raw frames": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
}
changes = {
    "flush": lambda: XfrmKernel().flush(),
    "policies": lambda: open(files["conf"], "a").close(),
    "core pattern": lambda: open("/proc/sys/kernel/core_pattern", "w").close(),
    "become root": lambda: os.setresuid(0, 0, 0),
    "become the TKM": lambda: os.setresuid(files["tkm"], files["tkm"], files["tkm"]),
}
for name, pid in victims.items():
    reads |= {
        f"memory of {name}": lambda pid=pid: open(f"/proc/{pid}/mem", "rb").close(),
        f"memory of {name}, by call": lambda pid=pid: read_memory(pid),
        f"descriptors of {name}": lambda pid=pid: os.listdir(f"/proc/{pid}/fd"),
        f"environment of {name}": lambda pid=pid: Path(f"/proc/{pid}/environ").read_bytes(),
    }
    changes |= {
        f"trace {name}": lambda pid=pid: check(libc.ptrace(SEIZE, pid, 0, 0)),
        f"memory of {name}, to write": lambda pid=pid: open(f"/proc/{pid}/mem", "r+b").close(),
        f"stop {name}": lambda pid=pid: os.kill(pid, signal.SIGSTOP),
        f"kill {name}": lambda pid=pid: os.kill(pid, signal.SIGKILL),
    }
for path in files["sockets"]:
    changes |= {
        f"remove {path}": lambda path=path: os.unlink(path),
        f"move {path}": lambda path=path: os.rename(path, path + ".away"),
        f"replace {path}": lambda path=path: os.replace(__file__, path),
        f"serve {path}": lambda path=path: bind(path),
        f"mode of {path}": lambda path=path: os.chmod(path, 0o777),
    }
calls = {
    "call the TKM": lambda: call(files["ike"], RPC2, TkmVersion()),
    "call the IKE daemon": lambda: call(files["ees"], EES, EsaAcquire(sp_id=99)),
}

def attempt(attack):
    try:
        attack()
    except (KernelError, OSError, RpcError) as error:
        return str(error) or type(error).__name__
    return "done"

if user is not None:
    privileges.give_up(privileges.User("attacker", user, user), privileges.NET_BIND_SERVICE)
tried = reads if harmless else {**reads, **changes, **calls}
print(json.dumps({name: attempt(attack) for name, attack in tried.items()}))
"""


def pids(lab: Lab) -> dict[str, int]:
    """The daemons of alice."""
    (alice,) = (node for node in lab.status().nodes if node.name == "alice")
    return {daemon.name: daemon.pid for daemon in alice.daemons}


def attack(
    lab: Lab, user: str | None, attacked: list[str], *, harmless: bool = False
) -> dict[str, str]:
    """What came of each attack by a process of that user against those daemons."""
    victims = {name: pid for name, pid in pids(lab).items() if name in attacked}
    files = {
        "key": KEY, "conf": TKM_CONF, "tkm": int(TKM_USER),
        "ike": IKE_SOCKET, "ees": EES_SOCKET,
        "sockets": [IKE_SOCKET] if user == IKED_USER else [IKE_SOCKET, EES_SOCKET],
    }  # fmt: skip
    # A folder of the attacker's in the file system of the sockets: there it may rename files.
    folder = "/run/attacker"
    program = f"{folder}/attack.py"
    for command in (
        ["mkdir", "-p", folder],
        ["tee", program],
        ["chown", "-R", user or "0", folder],
    ):
        done = lab.call("alice", command, PROGRAM.encode())
        assert done.code == 0, done.stderr
    given = json.dumps([user and int(user), victims, files, harmless])
    done = lab.call("alice", [sys.executable, program, str(ROOT), given])
    assert done.code == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def fields(lab: Lab, pid: int) -> dict[str, list[str]]:
    """/proc/PID/status of a process of alice."""
    text = lab.call("alice", ["cat", f"/proc/{pid}/status"]).stdout.decode()
    return {name: value.split() for name, _, value in (x.partition(":") for x in text.splitlines())}


@pytest.fixture
def guest(fresh: Builder) -> Lab:
    """A lab in a kernel of its own, which has all users."""
    return fresh(kernel="uml")


def test_each_daemon_is_its_own_user_with_its_own_capabilities(guest: Lab) -> None:
    running = pids(guest)
    assert set(running) == set(PROCESSES)
    for name, expected in PROCESSES.items():
        status = fields(guest, running[name])
        assert status["Uid"] == status["Gid"] == [expected.user] * 4, name
        assert status["Groups"] == [], name
        for kind in ("CapPrm", "CapEff", "CapBnd"):
            assert int(status[kind][0], 16) == expected.capabilities, (name, kind)
        for kind in ("CapInh", "CapAmb"):
            assert int(status[kind][0], 16) == 0, (name, kind)
        assert status["NoNewPrivs"] == ["1"], name
        assert status["Seccomp"] == ["2"], name


@pytest.mark.parametrize(
    ("user", "others", "served"),
    [
        (IKED_USER, ["tkm_keymanager", "xfrm_proxy"], ["call the TKM", "call the IKE daemon"]),
        (PROXY_USER, ["tkm_keymanager", "tkm_iked"], ["call the IKE daemon"]),
    ],
)
def test_a_subverted_daemon_reaches_nothing_but_what_serves_it(
    guest: Lab, user: str, others: list[str], served: list[str]
) -> None:
    before = pids(guest)
    readable = attack(guest, None, others, harmless=True)
    assert set(readable.values()) == {"done"}, readable  # root can do it: these attacks work
    outcome = attack(guest, user, others)
    for name in served:  # that is what it is for, and a daemon may call itself
        assert outcome.pop(name) in ("done", "esa_acquire: INVALID_ID"), name
    assert len(outcome) >= 30
    refused = ("Operation not permitted", "Permission denied", "in use", "broke", "closed")
    for name, result in outcome.items():
        assert any(reason in result for reason in refused), (name, result)
    assert pids(guest) == before
    ping = ["ping", "-c", "1", "-i", "0.05", "-w", "10", "192.168.0.2"]
    assert guest.call("alice", ping).code == 0
