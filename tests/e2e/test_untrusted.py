# SPDX-License-Identifier: GPL-2.0-or-later
"""Secrets stay with the Key Manager: the memory of all others is searched for them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from lab.build.backends.builtin import IKED_USER
from lab.build.files import KEY
from lab.client.lab import Lab
from tests import memory_scan
from tests.e2e.conftest import Builder

NET_BIND_SERVICE = 1 << 10


def _of_key(lab: Lab, node: str) -> dict[str, bytes]:
    """The numbers of a host's private key, and the file."""
    der = lab.call(node, ["cat", KEY]).stdout
    key = load_der_private_key(der, None)
    assert isinstance(key, RSAPrivateKey)
    private = key.private_numbers()
    crt = {"dp": private.dmp1, "dq": private.dmq1, "qinv": private.iqmp}
    return memory_scan.numbers(d=private.d, p=private.p, q=private.q, **crt) | {"DER": der}


def _of_kernel(lab: Lab, node: str) -> dict[str, bytes]:
    """The keys of a host's ESP states."""
    found = {}
    for state in lab.states(node).states:
        if state.spi and state.encryption and state.integrity:
            found[f"{state.spi:08x} encryption"] = state.encryption.key
            found[f"{state.spi:08x} integrity"] = state.integrity.key
    return found


def _pids(lab: Lab, node: str) -> dict[str, str]:
    """The daemons of a host, by name, and its init, from which they are forked."""
    (host,) = (each for each in lab.status().nodes if each.name == node)
    return {"init": "1", **{daemon.name: str(daemon.pid) for daemon in host.daemons}}


def _search(lab: Lab, node: str, needles: Mapping[str, bytes]) -> dict[str, set[str]]:
    """What each process of a host has in its memory."""
    pids = _pids(lab, node)
    command = [sys.executable, "-IS", memory_scan.__file__, *pids.values()]
    given = json.dumps({name: octets.hex() for name, octets in needles.items()})
    found = json.loads(lab.call(node, command, given.encode()).stdout)
    return {name: set(found[pid]) for name, pid in pids.items()}


def test_secrets_are_in_the_key_managers_memory_alone(fresh: Builder) -> None:
    lab = fresh()
    assert lab.call("alice", ["ping", "-c", "1", "-i", "0.05", "-w", "10", "192.168.0.2"]).code == 0
    for node in ("alice", "bob"):
        of_kernel, of_key = _of_kernel(lab, node), _of_key(lab, node)
        assert len(of_kernel) == 4
        found = _search(lab, node, of_kernel | of_key)
        assert found.pop("tkm_keymanager") >= {"d, little endian", "p, little endian"}
        assert found == {"init": set(), "tkm_iked": set(), "xfrm_proxy": set()}


def test_tkm_iked_may_bind_ports_and_nothing_else(two_hosts: Lab) -> None:
    status = f"/proc/{_pids(two_hosts, 'alice')['tkm_iked']}/status"
    text = two_hosts.call("alice", ["cat", status]).stdout.decode()
    lines = (line.partition(":") for line in text.splitlines())
    fields = {name: value.split() for name, _, value in lines}
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(fields[kind][0], 16) == NET_BIND_SERVICE, kind
    assert fields["NoNewPrivs"] == ["1"]
    rootless = two_hosts.call("alice", ["cat", "/proc/self/uid_map"]).stdout.split()[2] == b"1"
    assert fields["Uid"] == (["0"] if rootless else [IKED_USER]) * 4
