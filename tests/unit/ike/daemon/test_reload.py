# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGHUP: another configuration is checked whole and then taken, or the old one stays."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.unit import trusted
from tests.unit.ike.daemon.test_main import ask
from tests.unit.ike.daemons import Node, wait_for
from tkm.rpc.ees import EsaAcquire


def reload(node: Node, daemon: subprocess.Popen[bytes], line: str) -> str:
    """What the daemon logs at a reload, up to that line."""
    begin = len(node.log.read_text())
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: line in node.log.read_text()[begin:], daemon)
    return node.log.read_text()[begin:]


def change(node: Node, old: str, new: str) -> None:
    path = node.folder / "swanctl.conf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def up(nodes: list[Node]) -> set[object]:
    alice, bob = nodes
    ask(alice, EsaAcquire(sp_id=1))
    wait_for(lambda: alice.tkm.kernel.states and alice.tkm.kernel.states == bob.tkm.kernel.states)
    return set(alice.tkm.kernel.states)


Daemons = list[subprocess.Popen[bytes]]


def test_what_does_not_touch_an_sa_leaves_it(nodes: list[Node], daemons: Daemons) -> None:
    alice, bob = nodes
    before = up(nodes)
    change(alice, "version = 2", "version = 2\n    dpd_delay = 7s")
    reload(alice, daemons[0], "the configuration was read again")
    other = trusted.host("alice").certificate
    (alice.folder / "x509" / "own.der").write_bytes(other)
    log = reload(alice, daemons[0], "the configuration was read again")
    assert "closed" not in log
    assert before == set(alice.tkm.kernel.states) == set(bob.tkm.kernel.states)


def test_what_is_changed_comes_up_anew(nodes: list[Node], daemons: Daemons) -> None:
    alice, bob = nodes
    before = up(nodes)
    for node, daemon in zip(nodes, daemons, strict=True):
        change(node, "modp3072\n        start", "modp4096\n        start")
        reload(node, daemon, "the configuration was read again")
        wait_for(lambda: not alice.tkm.kernel.states | bob.tkm.kernel.states, daemon)
    assert "it is configured otherwise now" in alice.log.read_text()
    assert not before & up(nodes)


def test_a_connection_that_is_gone_takes_its_sas_along(nodes: list[Node], daemons: Daemons) -> None:
    alice, bob = nodes
    up(nodes)
    (alice.folder / "swanctl.conf").write_text("connections {\n}\n")
    reload(alice, daemons[0], "the configuration was read again")
    wait_for(lambda: not alice.tkm.kernel.states | bob.tkm.kernel.states)


def test_an_added_connection_starts(nodes: list[Node], daemons: Daemons) -> None:
    change(nodes[0], "start_action = trap", "start_action = trap|start")
    reload(nodes[0], daemons[0], "the configuration was read again")
    wait_for(lambda: nodes[1].tkm.kernel.states, daemons[0])


@pytest.mark.parametrize(
    ("file", "octets", "reason"),
    [
        ("swanctl.conf", b"connections {", "section connections is not closed"),
        ("swanctl.conf", None, "No such file or directory"),
        ("x509/own.der", b"", "no certificate"),
        ("x509ca/ca.der", None, "0 CA certificates"),
    ],
)
def test_a_mistake_changes_nothing(
    nodes: list[Node], daemons: Daemons, file: str, octets: bytes | None, reason: str
) -> None:
    before = up(nodes)
    path: Path = nodes[0].folder / file
    good = path.read_bytes()
    path.unlink()
    if octets is not None:
        path.write_bytes(octets)
    log = reload(nodes[0], daemons[0], "the configuration stays as it was")
    (line,) = (line for line in log.splitlines() if "stays as it was" in line)
    assert reason in line
    assert before == set(nodes[0].tkm.kernel.states)
    path.write_bytes(good)
    reload(nodes[0], daemons[0], "the configuration was read again")
    assert before == set(nodes[0].tkm.kernel.states)


def test_an_address_that_is_not_ours(nodes: list[Node], daemons: Daemons) -> None:
    before = up(nodes)
    change(nodes[0], "local_addrs = 127.0.0.1", "local_addrs = 192.0.2.1")
    log = reload(nodes[0], daemons[0], "the configuration stays as it was")
    assert "192.0.2.1" in log
    assert before == set(nodes[0].tkm.kernel.states)


def test_the_reader_ends_with_the_daemon(nodes: list[Node], daemons: Daemons) -> None:
    children = Path(f"/proc/{daemons[0].pid}/task/{daemons[0].pid}/children")
    (reader,) = map(int, children.read_text().split())
    status = Path(f"/proc/{reader}/status").read_text()
    for line in ("CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in status
    daemons[0].kill()
    daemons[0].wait()
    wait_for(lambda: not Path(f"/proc/{reader}").exists() or is_zombie(reader))


def is_zombie(process: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return True


def test_included_files_are_read_again(nodes: list[Node], tmp_path: Path) -> None:
    """Those that were included at the start, wherever they are, and others of the folder."""
    alice = nodes[0]
    outside, inside = tmp_path / "elsewhere", alice.folder / "more.conf"
    outside.write_text("connections {\n net {\n  dpd_delay = 7s\n }\n}\n")
    path = alice.folder / "swanctl.conf"
    path.write_text(path.read_text() + f"include {outside}\ninclude more*.conf\n")
    daemon = alice.start()
    try:
        outside.write_text("connections {\n net {\n  dpd_delay = 8s\n }\n}\n")
        inside.write_text("connections {\n net {\n  encap = yes\n }\n}\n")
        reload(alice, daemon, "the configuration was read again")
        outside.write_text("connections {\n net {\n  dpd_delay = soon\n }\n}\n")
        assert f"{outside}:3: dpd_delay" in reload(alice, daemon, "stays as it was")
        path.write_text(path.read_text() + "include private/key\n")
        (alice.folder / "private").mkdir()
        (alice.folder / "private" / "key").write_text("secret")
        log = reload(alice, daemon, "stays as it was")
        assert "private/key: not a file of the configuration" in log
    finally:
        daemon.kill()
        daemon.wait()
