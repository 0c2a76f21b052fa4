# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab without daemons of ours: its kernels, nodes, wire, commands and errors, for real."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.client.lab import Interface, Kernel, Lab, Node, Progress
from lab.errors import KernelError, LabError, NameInUse, NotUp, UsageError

NODES = (
    Node("alice", (Interface("net", ("192.0.2.1/24", "2001:db8::1/64")),)),
    Node("bob", (Interface("net", ("192.0.2.2/24", "2001:db8::2/64")), Interface("side"))),
)
PROGRAM = {"warm_program": "tests.e2e.warm_program:main"}
SERVE = """import socket; s = socket.socket(socket.AF_UNIX); s.connect('/tmp/s'); s.send(b'end')"""


def name(worker: str, suffix: str) -> str:
    return f"lab-{os.getpid()}-{worker}-{suffix}"


@pytest.fixture(scope="module", params=["host", "uml"])
def lab(request: pytest.FixtureRequest, worker_id: str) -> Iterator[Lab]:
    kernel = request.param
    own = name(worker_id, kernel)
    steps: list[Progress] = []
    with Lab.start(own, kernel, steps.append, esp=False, programs=PROGRAM) as lab:
        assert [step.step for step in steps] == ["keeper", "kernel", "running", "ready"]
        lab.create(NODES)
        yield lab


def run(lab: Lab, node: str, *argv: str, given: bytes = b"") -> str:
    result = lab.call(node, argv, given)
    assert result.code == 0, result.stderr
    return result.stdout.decode()


@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_nodes_reach_each_other(lab: Lab, address: str) -> None:
    assert "1 received" in run(lab, "alice", "ping", "-c1", "-W2", address)


def test_the_wire_is_seen_once_and_by_sender(lab: Lab) -> None:
    before = lab.capture("net").next
    payload = "5a7e11e5"
    run(lab, "alice", "ping", "-c2", "-i0.05", "-p", payload, "192.0.2.2")
    capture = lab.capture("net", before)
    carriers = [
        sender
        for frame, sender in zip(frames(capture.pcap), capture.senders, strict=True)
        if bytes.fromhex(payload) in frame
    ]
    assert carriers == ["alice", "bob", "alice", "bob"]
    assert capture.lost == 0
    assert lab.capture("side", before).senders == ()


def frames(pcap: bytes) -> Iterator[bytes]:
    offset = 24
    while offset < len(pcap):
        length = struct.unpack_from("=I", pcap, offset + 8)[0]
        yield pcap[offset + 16 : offset + 16 + length]
        offset += 16 + length


def test_a_node_has_its_own_namespaces(lab: Lab) -> None:
    assert run(lab, "alice", "hostname") == "alice\n"
    assert run(lab, "alice", "readlink", "/proc/1/ns/pid") == run(
        lab, "alice", "readlink", "/proc/self/ns/pid"
    )
    for kind in ("net", "mnt", "pid", "uts", "ipc"):
        link = f"/proc/self/ns/{kind}"
        seen = {run(lab, node, "readlink", link) for node in ("alice", "bob")}
        assert len(seen | {str(Path(link).readlink()) + "\n"}) == 3


@pytest.mark.parametrize("folder", ["/tmp", "/run", "/etc", "/etc/tkm"])
def test_files_go_into_one_node_with_their_mode(lab: Lab, folder: str) -> None:
    path, octets = f"{folder}/tkm-lab-test", os.urandom(5000)
    lab.put_files("alice", {path: (octets, 0o640)})
    assert run(lab, "alice", "sha256sum", path).split()[0] == hashlib.sha256(octets).hexdigest()
    assert run(lab, "alice", "stat", "-c", "%a", path) == "640\n"
    assert lab.call("bob", ["test", "-e", path]).code == 1
    assert not Path(path).exists()


def test_input_and_output_of_any_size_are_whole(lab: Lab) -> None:
    octets = os.urandom(300_000)
    result = lab.call("alice", ["cat"], octets)
    assert result.stdout == octets
    output = io.BytesIO()
    assert lab.run("bob", ["head", "-c", "3000000", "/dev/zero"], stdout=output) == 0
    assert output.getvalue() == bytes(3_000_000)


def test_output_and_errors_are_apart(lab: Lab) -> None:
    result = lab.call("alice", ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (result.code, result.stdout, result.stderr) == (7, b"out\n", b"err\n")


def test_a_command_killed_by_a_signal(lab: Lab) -> None:
    assert lab.call("alice", ["sh", "-c", "kill -9 $$"]).code == 128 + signal.SIGKILL


def test_a_command_with_a_terminal(lab: Lab) -> None:
    output = io.BytesIO()
    assert lab.run("alice", ["sh", "-c", "tty; stty size"], tty=True, stdout=output) == 0
    terminal, size = output.getvalue().decode().splitlines()
    assert terminal.startswith("/dev/pts/")
    assert size == "24 80"


def test_a_command_dies_with_its_front_end(lab: Lab) -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with os.fdopen(write, "wb") as output:
            lab.run("alice", ["sh", "-c", "echo $$; exec sleep 1000"], stdout=output)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as lines:
        shell = int(lines.readline())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    gone = f"while kill -0 {shell} 2>&-; do :; done"
    assert lab.call("alice", ["timeout", "10", "sh", "-c", gone]).code == 0


@pytest.fixture
def warm(lab: Lab) -> Iterator[str]:
    daemon = "warm"
    lab.spawn("bob", ["warm_program", "/tmp/s"], name=daemon)
    lab.wait_for_socket("bob", "/tmp/s", daemon=daemon)
    yield daemon
    lab.stop("bob", daemon)
    run(lab, "bob", "rm", "/tmp/s")


def test_a_warm_program_is_a_process_of_its_own(lab: Lab, warm: str) -> None:
    status = {node.name: node for node in lab.status().nodes}["bob"]
    daemon = {daemon.name: daemon for daemon in status.daemons}[warm]
    assert daemon.code is None
    assert 0 < daemon.memory < 40 << 20
    shown = run(lab, "bob", "cat", f"/proc/{daemon.pid}/cmdline").replace("\0", " ")
    assert shown.strip() == "warm_program /tmp/s"


def test_its_words_are_logged(lab: Lab, warm: str) -> None:
    lines = [line for line in lab.logs("bob", warm) if line.daemon == warm]
    assert [line.text for line in lines] == ["listening at /tmp/s", "a warning"]
    assert lab.status().summary.started < lines[0].time


def test_its_end_is_noticed(lab: Lab, warm: str) -> None:
    run(lab, "bob", "/usr/bin/python3", "-c", SERVE)
    lab.wait_for_exit("bob", warm)
    assert lab.stop("bob", warm) == 5
    with pytest.raises(LabError, match="warm ended with exit code 5: a warning"):
        lab.wait_for_socket("bob", "/tmp/none", daemon=warm)


@pytest.mark.parametrize("lab", ["host"], indirect=True)  # it takes its time on any kernel
def test_a_daemon_is_stopped_even_if_it_will_not(lab: Lab) -> None:
    deaf = "trap '' TERM; echo deaf; while :; do sleep 1000; done"
    lab.spawn("alice", ["sh", "-c", deaf], name="deaf")
    while not lab.logs("alice", "deaf"):
        continue
    assert lab.stop("alice", "deaf") == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("argv", "message"),
    [(["no-such-command"], "No such file"), (["/etc/passwd"], "Permission denied")],
)
def test_a_command_that_cannot_start(lab: Lab, argv: list[str], message: str) -> None:
    with pytest.raises(LabError, match=message):
        lab.call("alice", argv)
    with pytest.raises(LabError, match=message):
        lab.spawn("alice", argv)


def test_what_does_not_exist_is_named_with_what_does(lab: Lab) -> None:
    with pytest.raises(LabError, match="no node carol in this lab; there is: alice, bob"):
        lab.call("carol", ["true"])
    with pytest.raises(LabError, match="no link wan in this lab; there is: net, side"):
        lab.capture("wan")
    with pytest.raises(LabError, match="no daemon tkm on bob"):
        lab.stop("bob", "tkm")


def test_nodes_are_created_once(lab: Lab) -> None:
    with pytest.raises(UsageError, match="once"):
        lab.create(NODES)


def test_a_name_belongs_to_one_lab(lab: Lab) -> None:
    with pytest.raises(NameInUse, match=f"tkm-lab down --lab {lab.name}"):
        Lab.start(lab.name, Kernel.UML)
    assert lab.name in [summary.name for summary in Lab.all()]


def test_a_kept_lab_stays_until_down(worker_id: str) -> None:
    own = name(worker_id, "kept")
    with Lab.start(own, Kernel.HOST, esp=False) as lab:
        lab.create(NODES)
        lab.keep()
        Lab.connect(own).call("alice", ["true"])
        summary = {s.name: s for s in Lab.all()}[own]
        assert summary.kept
        Lab.connect(own).down()
        with pytest.raises(NotUp, match=own):
            Lab.connect(own)
        Lab(own).down()


def test_a_node_that_dies_does_not_take_others_with_it(worker_id: str) -> None:
    with Lab.start(name(worker_id, "death"), Kernel.HOST, esp=False) as lab:
        lab.create(NODES)
        lab.spawn("alice", ["sleep", "1000"])
        os.kill(child_named(lab.summary().guest, b"node alice"), signal.SIGKILL)
        lab.wait_for_exit("alice", "sleep")
        with pytest.raises(LabError, match="node alice has died"):
            lab.call("alice", ["true"])
        assert lab.call("bob", ["true"]).code == 0
        assert [node.memory > 0 for node in lab.status().nodes] == [False, True]


def child_named(parent: int, command: bytes) -> int:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        child_of = int(stat.read_text().rpartition(")")[2].split()[1])
        if child_of == parent and stat.with_name("cmdline").read_bytes().startswith(command):
            return int(stat.parent.name)
    raise AssertionError(f"{parent} has no child {command!r}")


def test_a_guest_that_cannot_boot(worker_id: str) -> None:
    own = name(worker_id, "tiny")
    with pytest.raises(KernelError, match=r"Too few physical memory|Kernel panic"):
        Lab.start(own, Kernel.UML, memory="4M")
    assert own not in [summary.name for summary in Lab.all()]


@pytest.mark.parametrize("bad", ["", "a b", "../x", "x" * 61])
def test_names_that_are_none(bad: str) -> None:
    with pytest.raises(UsageError):
        Lab.start(bad)


def test_who_is_cut_off_hears_nobody_until_it_is_let_back(lab: Lab) -> None:
    ping = ["ping", "-c1", "-W1", "192.0.2.2"]
    lab.disturb("net", ["bob"], cut=True)
    assert lab.call("alice", ping).code == 1
    lab.disturb("net", ["bob"], cut=False)
    assert lab.call("alice", ping).code == 0


LISTENER = """
import socket
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)) as sock:
    print("listening", flush=True)
    for _ in range(3):
        print(sock.recv(100).hex(), flush=True)
"""


def test_what_is_injected_arrives_and_is_in_no_capture(lab: Lab) -> None:
    header = bytes.fromhex("ffffffffffff 020000000099 88b5")
    frames = [header + bytes([number]) * 46 for number in range(3)]
    lab.spawn("bob", ["python3", "-c", LISTENER], "listener")
    lab.wait_for_line("bob", "listener", "listening")
    before = lab.capture("net").next
    lab.inject("net", "bob", frames)
    lab.wait_for_exit("bob", "listener")
    told = [line.text for line in lab.logs("bob", "listener")]
    assert told == ["listening", *(frame.hex() for frame in frames)]
    assert header not in lab.capture("net", before).pcap
    with pytest.raises(UsageError, match="alice is not on a link side of this lab"):
        lab.disturb("side", ["alice"], cut=True)
