# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with two local identities, each with a certificate and a key: tkm_iked processes."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from lab.pki import Identity
from tests.unit import trusted
from tests.unit.ike.daemon.test_main import ask
from tests.unit.ike.daemons import DEADLINE, Node, Tkm, free_port, wait_for
from tkm.config.policy import Config, Local, LocalIdentity, Policy, Remote
from tkm.rpc.ees import EsaAcquire
from tkm_cfgtool import swanctl

ADDRESSES = {"alice": "127.0.0.1", "bob": "127.0.0.2", "carol": "127.0.0.3"}
PEERS = {"bob": "alice.bob.test", "carol": "alice@carol.test"}
"""As whom alice speaks to each of her peers: local identities 1 and 2."""


class Host(NamedTuple):
    """What a host is configured with."""

    config: Config
    certificates: Mapping[int, bytes]
    keys: Mapping[int, RSAPrivateKey]


@cache
def issued(name: str) -> Identity:
    """A certificate and its key, made once a run."""
    return trusted.pki().ca.issue_cert(name)


def policy(number: int, here: str, there: str, identity: int, peer: str) -> Policy:
    common = trusted.config_of("alice").policies[1]
    return replace(
        common,
        id=number,
        local=Local(identity, ip_address(ADDRESSES[here])),
        remote=Remote(peer, ip_address(ADDRESSES[there])),
    )


def of(names: list[str], *policies: Policy) -> Host:
    """A host with these identities."""
    numbered = dict(enumerate(names, 1))
    return Host(
        Config(
            {
                number: LocalIdentity(number, name, f"{number}.der")
                for number, name in numbered.items()
            },
            {each.id: each for each in policies},
        ),
        {number: issued(name).certificate.der for number, name in numbered.items()},
        {number: issued(name).key.rsa for number, name in numbered.items()},
    )


def hosts() -> dict[str, Host]:
    peers = list(PEERS)
    return {
        "alice": of(
            list(PEERS.values()),
            *(policy(n, "alice", peer, n, f"{peer}.test") for n, peer in enumerate(peers, 1)),
        ),
        **{
            peer: of([f"{peer}.test"], policy(n, peer, "alice", 1, PEERS[peer]))
            for n, peer in enumerate(peers, 1)
        },
    }


class Daemon(Node):
    """A TKM, and the files of a tkm_iked as tkm_cfgtool writes them."""

    def __init__(self, host: Host, folder: Path, ports: tuple[int, int]) -> None:
        self.folder, self.log = folder, folder / "log"
        self._ports = ports
        (folder / "x509").mkdir(parents=True)
        (folder / "x509ca").mkdir()
        (folder / "x509ca" / "ca.der").write_bytes(trusted.pki().ca.certificate.der)
        for number, octets in host.certificates.items():
            (folder / "x509" / f"{number}.der").write_bytes(octets)
        (folder / "swanctl.conf").write_text(swanctl.render(host.config))
        self.tkm = Tkm(trusted.host("alice", host.config, dict(host.keys)), folder / "rpc")


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[dict[str, Daemon]]:
    ports = free_port(), free_port()
    made: dict[str, Daemon] = {}
    with contextlib.ExitStack() as stack:
        for name, host in hosts().items():
            daemon = made[name] = Daemon(host, tmp_path / name, ports)
            stack.callback(daemon.tkm.close)
        for daemon in made.values():
            process = daemon.start()
            stack.callback(process.wait, DEADLINE)
            stack.callback(process.terminate)
        yield made


@pytest.mark.parametrize("initiator", ["alice", "its peer"])
def test_two_policies_with_two_identities_to_two_peers(
    daemons: dict[str, Daemon], initiator: str
) -> None:
    for number, peer in enumerate(PEERS, 1):
        ask(daemons["alice" if initiator == "alice" else peer], EsaAcquire(sp_id=number))
        wait_for(lambda peer=peer: len(daemons[peer].tkm.kernel.states) == 2)  # type: ignore[misc]
    both = daemons["bob"].tkm.kernel.states | daemons["carol"].tkm.kernel.states
    wait_for(lambda: daemons["alice"].tkm.kernel.states == both)
    assert len(both) == 4
    log = daemons["alice"].log.read_text()
    for peer, identity in PEERS.items():
        assert f"[{identity}]...{ADDRESSES[peer]}[{peer}.test]" in log


def test_exchanged_keys_end_the_start(tmp_path: Path) -> None:
    host = hosts()["alice"]
    exchanged = host._replace(keys={1: host.keys[2], 2: host.keys[1]})
    daemon = Daemon(exchanged, tmp_path / "alice", (free_port(), free_port()))
    try:
        process: subprocess.Popen[bytes] = daemon.spawn()
        assert process.wait(DEADLINE) == 1
    finally:
        daemon.tkm.close()
    last = daemon.log.read_text().splitlines()[-1]
    assert last.endswith(
        "conn1: the certificate of alice.bob.test is not that of the TKM's private key for "
        "local identity 1"
    )
