# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_iked is not trusted: it has no right that matters, and there is no secret in its memory."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests import memory_scan
from tests.unit import trusted
from tests.unit.ike.daemon.test_main import ask
from tests.unit.ike.daemons import ADDRESSES, Node, free_port, wait_for
from tests.unit.tkm.keymanager_files import key_der
from tkm.crypto.modp import ModpGroup, ModpPrivateValue
from tkm.crypto.secret import Secret
from tkm.identity import parse
from tkm.rpc.ees import EsaAcquire, EsaExpire

NAMESPACE = ("unshare", "--user", "--map-root-user")
"""Where we are root, though of nothing, and there is no other user."""
BIND_SERVICE = 1 << 10


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Every secret that a Key Manager of this process has in its hands, from now on."""
    known: dict[str, bytes] = {}
    begin, wipe, generate = Secret.__init__, Secret.wipe, ModpPrivateValue.__init__
    public = [parse(trusted.identity(name)).payload for name in ADDRESSES]

    def note(secret: Secret, *given: bytearray) -> None:
        if given:
            begin(secret, *given)
        octets = bytes(secret.octets)
        if len(octets) >= 16 and any(octets) and octets not in public:
            known[f"{octets[:4].hex()}… of {len(octets)} octets"] = octets
        if not given:
            wipe(secret)

    def note_private(private: ModpPrivateValue, group: ModpGroup) -> None:
        generate(private, group)
        exponent = private._private.private_numbers().x
        known.update(memory_scan.numbers(**{f"exponent {exponent & 0xFFFFFFFF:08x}": exponent}))

    monkeypatch.setattr(Secret, "__init__", note)
    monkeypatch.setattr(Secret, "wipe", note)
    monkeypatch.setattr(ModpPrivateValue, "__init__", note_private)
    return known


def of_key(name: str, key: rsa.RSAPrivateKey) -> dict[str, bytes]:
    """What must stay secret of a private key."""
    private = key.private_numbers()
    values = {
        "d": private.d,
        "p": private.p,
        "q": private.q,
        "dp": private.dmp1,
        "dq": private.dmq1,
        "qinv": private.iqmp,
    }
    parts = memory_scan.numbers(**{f"{name}'s {part}": value for part, value in values.items()})
    return {**parts, f"{name}'s key, DER": key_der(key)[-1000:]}


def of_kernel(nodes: list[Node]) -> dict[str, bytes]:
    """The keys of ESP, from the kernel's states."""
    states = [state for node in nodes for state in node.tkm.kernel.states]
    both = [(state.encryption, state.integrity) for state in states]
    return {f"ESP key {number}": octets for number, octets in enumerate(sum(both, ()))}


def live(nodes: list[Node]) -> dict[str, bytes]:
    """Set up an IKE SA with a Child SA, and rekey that; all keys of ESP on the way."""
    alice, bob = nodes
    ask(alice, EsaAcquire(sp_id=1))
    wait_for(lambda: alice.tkm.kernel.states == bob.tkm.kernel.states != set())
    keys = of_kernel(nodes)
    (outbound,) = (state for state in alice.tkm.kernel.states if state.source == "192.168.0.1")
    ask(alice, EsaExpire(sp_id=1, spi_rem=outbound.spi, protocol=50, hard=False))
    wait_for(lambda: outbound not in alice.tkm.kernel.states | bob.tkm.kernel.states)
    wait_for(lambda: alice.tkm.kernel.states == bob.tkm.kernel.states)
    return keys | {f"{name} after rekeying": key for name, key in of_kernel(nodes).items()}


def test_no_secret_is_in_its_memory(
    secrets: dict[str, bytes], nodes: list[Node], daemons: list[subprocess.Popen[bytes]]
) -> None:
    keys = live(nodes)
    identities = trusted.pki()
    needles = {**secrets, **keys}
    for name, key in identities.keys.items():
        needles |= of_key(name, key)
    # SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr, DH and ESP keys of both sides at the least.
    assert len(secrets) > 2 * 10
    for name, daemon in zip(ADDRESSES, daemons, strict=True):
        assert memory_scan.search(daemon.pid, needles) == set()
        known = {"certificate": identities.certificates[name]}
        assert memory_scan.search(daemon.pid, known) == known.keys()


def rights(daemon: subprocess.Popen[bytes]) -> dict[str, str]:
    """What the kernel says about a process."""
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_steps_down(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    nodes = [Node(name, tmp_path / name, ports) for name in ADDRESSES]
    daemons = []
    try:
        for node in nodes:
            daemons.append(node.start(NAMESPACE, "--user=nobody"))
        live(nodes)
        for node, daemon in zip(nodes, daemons, strict=True):
            status = rights(daemon)
            for kind in ("CapPrm", "CapEff", "CapBnd"):
                assert int(status[kind], 16) == BIND_SERVICE, kind
            for kind in ("CapInh", "CapAmb"):
                assert int(status[kind], 16) == 0, kind
            assert status["NoNewPrivs"] == "1"
            assert status["Seccomp"] == "2"
            log = node.log.read_text()
            assert "is not in this user namespace" in log
            assert "with CAP_NET_BIND_SERVICE alone" in log
    finally:
        for daemon in daemons:
            daemon.terminate()
            daemon.wait()
        for node in nodes:
            node.tkm.close()


def test_a_user_that_does_not_exist(tmp_path: Path) -> None:
    node = Node("alice", tmp_path / "alice", (free_port(), free_port()))
    try:
        assert node.spawn((), "--user=no-such-user").wait(20) == 2
        assert "argument --user: there is no user 'no-such-user'" in node.log.read_text()
    finally:
        node.tkm.close()
