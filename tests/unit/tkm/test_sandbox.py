# SPDX-License-Identifier: GPL-2.0-or-later
"""The filter of system calls: in a process of its own, and instruction by instruction."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tkm import sandbox
from tkm.sandbox import calls, seccomp
from tkm.sandbox.calls import Calls

ATTEMPTS = """
import ctypes, json, mmap, os, socket, subprocess, sys, tempfile, time
from tkm import sandbox
from tkm.sandbox import calls, privileges

libc = ctypes.CDLL(None, use_errno=True)
folder = sys.argv[2]
file = os.path.join(folder, "file")
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
os.close(os.open(file, APPEND, 0o600))
server = socket.socket(socket.AF_UNIX)
server.bind(os.path.join(folder, "server"))
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect(os.path.join(folder, "server"))
one, other = socket.socketpair()
loose = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
target = os.getpid()

def system_call(number, *arguments):
    def attempt():
        if libc.syscall(ctypes.c_long(number), *arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return attempt

NUMBERS = {
    "x86_64": dict(ptrace=101, process_vm_readv=310, process_vm_writev=311, keyctl=250,
        add_key=248, bpf=321, io_uring_setup=425, userfaultfd=323, perf_event_open=298,
        openat2=437, memfd_create=319, mount=165, unshare=272, setns=308, pidfd_getfd=438,
        clone3=435, execveat=322, x32_read=0x40000000, init_module=175, kexec_load=246),
    "aarch64": dict(ptrace=117, process_vm_readv=270, process_vm_writev=271, keyctl=219,
        add_key=217, bpf=280, io_uring_setup=425, userfaultfd=282, perf_event_open=241,
        openat2=437, memfd_create=279, mount=40, unshare=97, setns=268, pidfd_getfd=438,
        clone3=435, execveat=281, init_module=105, kexec_load=104),
}[os.uname().machine]

attempts = {
    "open to read": lambda: os.close(os.open("/etc/passwd", os.O_RDONLY)),
    "open to write": lambda: os.close(os.open(file, os.O_WRONLY)),
    "append": lambda: os.close(os.open(file, APPEND, 0o600)),
    "append, cut first": lambda: os.close(os.open(file, APPEND | os.O_TRUNC)),
    "execve": lambda: os.execv("/bin/true", ["true"]),
    "subprocess": lambda: subprocess.run(["true"]),
    "fork": os.fork,
    "kill": lambda: os.kill(target, 0),
    "executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "bind": lambda: loose.bind(("127.0.0.1", 0)),
    "connect": lambda: loose.connect(("127.0.0.1", 9)),
    "Unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "IPv4 socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 6).close(),
    "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "terminal input": lambda: __import__("fcntl").ioctl(1, 0x5412, b"x"),
    "mkdir": lambda: os.mkdir(os.path.join(folder, "made")),
    "chmod": lambda: os.chmod(file, 0o777),
    "rename": lambda: os.rename(file, file + "2"),
    "setuid": lambda: os.setuid(os.getuid()),
    **{name: system_call(number, 0, 0, 0, 0, 0) for name, number in NUMBERS.items()},
    # What daemons do goes on working.
    "accept": lambda: server.accept()[0].close(),
    "send and receive": lambda: (one.send(b"x"), other.recv(1)),
    "non-blocking": lambda: other.setblocking(False),
    "memory": lambda: len(bytearray(1 << 24)),
    "random": lambda: os.urandom(16),
    "time": lambda: time.strftime("%c", time.localtime()),
    "wait": lambda: time.sleep(0.001),
    "stat": lambda: os.stat(file),
    "unlink": lambda: os.unlink(file),
}
print(privileges.give_up(None), file=sys.stderr)
allowed = calls.DAEMON | getattr(calls, sys.argv[3], {}) | calls.reopening(
    (APPEND,) if sys.argv[4] else ())
print(sandbox.enter(sys.argv[1], allowed), file=sys.stderr)
report = {}
for name, attempt in attempts.items():
    try:
        attempt()
        report[name] = "done"
    except PermissionError:
        report[name] = "refused"
    except OSError as error:
        report[name] = str(error)
print(json.dumps(report))
"""

WORKS = {
    *("accept", "send and receive", "non-blocking", "memory", "random", "time", "wait"),
    *("stat", "unlink"),
}

Attempts = Callable[..., dict[str, str]]


@pytest.fixture
def attempts(tmp_path: Any) -> Attempts:
    def run(choice: str = "enforce", role: str = "", reopens: str = "") -> dict[str, str]:
        folder = tmp_path / (choice + role + reopens)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", ATTEMPTS, choice, str(folder), role, reopens],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        report: dict[str, str] = json.loads(done.stdout)
        return report

    return run


def done(report: dict[str, str]) -> set[str]:
    assert set(report.values()) <= {"done", "refused"}
    return {name for name, outcome in report.items() if outcome == "done"}


def test_nothing_but_what_a_daemon_needs(attempts: Attempts) -> None:
    assert done(attempts()) == WORKS


def test_a_log_file_can_be_opened_anew_and_no_other_way(attempts: Attempts) -> None:
    assert done(attempts(reopens="yes")) == WORKS | {"append"}


def test_the_proxy_connects_to_unix_sockets(attempts: Attempts) -> None:
    assert done(attempts(role="UNIX_CLIENT")) == WORKS | {"Unix socket", "connect"}


def test_the_ike_daemon_has_the_network(attempts: Attempts) -> None:
    network = {"Unix socket", "IPv4 socket", "connect", "bind"}
    assert done(attempts(role="NETWORK")) == WORKS | network


OFF = """
import subprocess, sys
from tkm import sandbox
print(sandbox.enter("off", {}))
subprocess.run(["true"], check=True)
"""


def test_off_is_off() -> None:
    ran = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=True)
    assert "--sandbox off" in ran.stdout


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("allowed", [calls.DAEMON, calls.DAEMON | calls.NETWORK], ids=["", "net"])
def test_no_jump_leaves_the_program(machine: str, allowed: Calls) -> None:
    program = seccomp.compile_filter(allowed, seccomp._ARCHITECTURES[machine])
    instructions = list(seccomp._INSTRUCTION.iter_unpack(program))
    returns = {at for at, (code, *_) in enumerate(instructions) if code == seccomp._RETURN}
    assert len(instructions) - 1 in returns
    assert instructions[-1][3] == seccomp._REFUSE
    for at, (code, then, otherwise, _) in enumerate(instructions):
        if code == seccomp._JUMP_EQUAL:
            assert at + 1 + max(then, otherwise) < len(instructions)


def test_every_call_has_a_number() -> None:
    everything = calls.DAEMON | calls.NETWORK | calls.READER
    assert set(everything) == set(calls.NUMBERS)
    for column in (0, 1):
        numbers = [row[column] for row in calls.NUMBERS.values() if row[column] is not None]
        assert len(set(numbers)) == len(numbers)


def test_a_processor_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert sandbox.enter("enforce", {}).startswith("off: ")
