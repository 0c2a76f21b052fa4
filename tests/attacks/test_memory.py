# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole memory of a running tkm_keymanager after each step: exactly these secrets are in it.

alice's Key Manager is the program itself, on this host's kernel in a network namespace; bob's is in
this process, and derives the same keys: so every secret that alice may hold is known here. Where
the kernel has no ESP it refuses alice's states, which is the harder case: its answer echoed them.
``docs/secrets.md`` has the same table in words.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.processes import REAL, KeyManagerProcess
from tests import memory_scan
from tests.unit.tkm.conversation import MODP_3072, Conversation, End
from tests.unit.trusted import Host, host, pki
from tkm.core.kinds import IkeSa, KeyExchange
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import Request
from tkm.rpc.result import Refused

SK = ("SK_d", "SK_ai", "SK_ar", "SK_ei", "SK_er", "SK_pi", "SK_pr")
HOST_KEY = {"d, little endian", "p, little endian", "q, little endian"}
"""The library has the host's private key as it wants it, as long as the program runs."""


class Watched:
    """alice's program, and what is known of its secrets."""

    def __init__(self, process: KeyManagerProcess, alice: Host, bob: Host) -> None:
        self._process = process
        self.talk = Conversation(alice, bob)
        private = pki().keys["alice"].private_numbers()
        self.secrets = memory_scan.numbers(d=private.d, p=private.p, q=private.q)

    @property
    def bob(self) -> End:
        return self.talk.responder

    def note_ike_keys(self, number: int, label: str) -> None:
        """Those that bob's IKE SA has now; alice has the same."""
        isa = self.bob.host.manager.contexts.store(IkeSa)[number]
        for name, key in zip(SK, isa.secret_keys, strict=True):
            self.secrets[f"{label} {name}"] = bytes(key.octets)

    def note_shared_secrets(self, label: str) -> None:
        for ke in self.bob.host.manager.contexts.store(KeyExchange).values():
            if ke.shared:
                self.secrets[f"{label} g^ir"] = bytes(ke.shared.octets)

    def note_esp_keys(self, label: str) -> None:
        for state in self.bob.host.kernel.states:
            self.secrets[f"{label} encryption {state.spi.hex()}"] = state.encryption
            self.secrets[f"{label} integrity {state.spi.hex()}"] = state.integrity

    @property
    def found(self) -> set[str]:
        """The names of the secrets in the process's memory, but for the host's key."""
        found = memory_scan.search(self._process.pid, self.secrets)
        assert found >= HOST_KEY & set(self.secrets)
        return {name for name in found if "endian" not in name}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with KeyManagerProcess(tmp_path, "alice", REAL) as process:
        transport = process.transport(rpc2.RPC2)
        alice = replace(host("alice"), client=Client(rpc2.RPC2, transport))
        try:
            yield Watched(process, alice, host("bob"))
        finally:
            transport.close()


def attempt(end: End, request: Request[Any]) -> None:
    """Ask for states: this kernel may have no ESP."""
    with suppress(Refused):
        end.call(request)


def ike_keys_of(label: str) -> set[str]:
    return {f"{label} {name}" for name in SK}


def test_after_each_step_exactly_these(watched: Watched) -> None:
    talk = watched.talk
    alice, _ = talk.ends
    assert watched.found == set()

    talk.exchange_keys(MODP_3072)
    watched.note_shared_secrets("first")
    assert watched.found == {"first g^ir"}

    for end, other in talk.pairs():
        talk.derive(end, other, MODP_3072)
    watched.note_ike_keys(1, "isa 1")
    assert watched.found == ike_keys_of("isa 1")

    talk.ike_auth()
    assert watched.found == ike_keys_of("isa 1")

    spis = talk.esp_spis()
    for end, other in talk.pairs():
        ours, theirs = spis[end.host.name], spis[other.host.name]
        attempt(end, rpc2.EsaCreateFirst(esa=1, isa=1, sp=1, ea=1, spi_loc=ours, spi_rem=theirs))
    watched.note_esp_keys("first child")
    assert watched.found == ike_keys_of("isa 1")
    attempt(alice, rpc2.IsaSkipCreateFirst(isa=1))  # refused where the kernel has ESP

    talk.exchange_keys(MODP_3072)
    watched.note_shared_secrets("second")
    spis = talk.esp_spis()
    for end, other in talk.pairs():
        ours, theirs = spis[end.host.name], spis[other.host.name]
        common: dict[str, Any] = {"isa": 1, "sp": 1, "ea": 1, "spi_loc": ours, "spi_rem": theirs}
        attempt(
            end,
            rpc2.EsaCreate(
                esa=2, ke=(1,), nc_loc=1, nonce_rem=other.nonce, initiator=end.initiator, **common
            ),
        )
    watched.note_esp_keys("second child")
    assert watched.found == ike_keys_of("isa 1")

    successor = talk.rekey_ike(alice.host, 2, MODP_3072)
    watched.talk = successor
    watched.note_ike_keys(2, "isa 2")
    assert watched.found == ike_keys_of("isa 2")

    alice.call(rpc2.TkmReset())
    assert watched.found == set()
