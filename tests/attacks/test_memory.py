# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole memory of a running tkm_keymanager after each step: exactly these secrets are in it.

alice's Key Manager is the program itself, on this host's kernel in a network namespace; bob's is in
this process, and derives the same keys: so every secret that alice may hold is known here. Where
the kernel has no ESP it refuses alice's states, which is the harder case: its answer echoed them.
``docs/secrets.md`` has the same table in words.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.processes import REAL, KeyManagerProcess
from tests import memory_scan
from tests.unit.tkm.charon import Charon
from tests.unit.tkm.conversation import MODP_3072, Conversation, End
from tests.unit.tkm.messages import VENDOR, intermediate_message
from tests.unit.trusted import Host, config_of, host, pki, sha1_host
from tkm.core.kinds import IkeSa, KeyExchange
from tkm.generation1.rpc1 import RPC1
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import Header, Request, SizedFrames
from tkm.rpc.result import Refused

SK = ("SK_d", "SK_ai", "SK_ar", "SK_ei", "SK_er", "SK_pi", "SK_pr")
HOST_KEY = {"d, little endian", "p, little endian", "q, little endian"}
"""The library has the host's private key as it wants it, as long as the program runs."""
PIECE = 16
"""Octets of a secret that are too many to be found by chance."""
LENGTHS = (32, 1024, 16384, 65472)
"""Octets of plain text: the last two come in several reads."""


class Watched:
    """alice's program, and what is known of its secrets."""

    def __init__(self, process: KeyManagerProcess, alice: Host, bob: Host) -> None:
        self.process = process
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

    def plain_text(self, label: str, length: int) -> bytes:
        """So many octets that nobody but the two ends may see."""
        octets = os.urandom(length)
        for where in (0, length // 2 & -PIECE, length - PIECE):
            self.secrets[f"{label}, {length} octets, from {where}"] = octets[where : where + PIECE]
        return octets

    @property
    def found(self) -> set[str]:
        """The names of the secrets in the process's memory, but for the host's key.

        A piece of one is enough: of a block that is freed, the allocator writes over a part.
        """
        pieces = {
            f"{name}|{at}": octets[at : at + PIECE]
            for name, octets in self.secrets.items()
            for at in range(0, len(octets) - PIECE + 1, PIECE)
        }
        found = memory_scan.search(self.process.pid, pieces)
        found = {name.partition("|")[0] for name in found}
        assert {name for name in found if "endian" in name} == HOST_KEY & set(self.secrets)
        return {name for name in found if "endian" not in name}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with (
        KeyManagerProcess(tmp_path, "alice", REAL) as process,
        closing(process.transport(rpc2.RPC2)) as transport,
    ):
        alice = replace(host("alice"), client=Client(rpc2.RPC2, transport))
        yield Watched(process, alice, host("bob"))


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


@pytest.fixture
def established(watched: Watched) -> Watched:
    """An IKE SA whose keys are the only secrets in memory."""
    watched.talk.ike_sa_init(MODP_3072)
    watched.note_ike_keys(1, "isa 1")
    return watched


@pytest.mark.parametrize("length", LENGTHS)
def test_plain_text_is_gone_once_it_is_answered(established: Watched, length: int) -> None:
    alice, bob = established.talk.ends
    for end in (alice, bob):
        plain = established.plain_text(f"of {end.host.name}", length)
        assert established.talk.say(end, plain, aad=b"") == plain
        assert established.found == ike_keys_of("isa 1")


def test_plain_text_of_a_refused_request_is_gone(established: Watched) -> None:
    plain = established.plain_text("not whole blocks", 1025)
    request = rpc2.IsaEncrypt(isa=1, aad_length=0, message=plain)
    with pytest.raises(Refused):
        established.talk.initiator.call(request)
    with pytest.raises(Refused):
        established.talk.initiator.call(rpc2.IsaEncrypt(isa=9, aad_length=0, message=plain))
    assert established.found == ike_keys_of("isa 1")


def test_what_an_intermediate_message_holds_is_gone(established: Watched) -> None:
    ends = established.talk.ends
    inside = [(VENDOR, established.plain_text("inside", 2048))]
    message = intermediate_message((ends[0].spi, ends[1].spi), 1, by_initiator=True, inside=inside)
    ends[0].call(rpc2.IsaIntAuth(isa=1, verify=False, message=message))
    assert established.found == ike_keys_of("isa 1")


@pytest.mark.parametrize("sent", [2000, 20000, 60000])
def test_plain_text_of_a_client_that_goes_amid_its_request_is_gone(
    established: Watched, sent: int
) -> None:
    plain = established.plain_text("half", 65472)
    request = rpc2.IsaEncrypt(isa=1, aad_length=0, message=plain)
    frame = SizedFrames().request(Header(request.code, 1), request.encode())
    established.secrets["at the end"] = bytes(frame[sent - 64 : sent])
    with established.process.connect() as stream:
        stream.sendall(frame[:sent])
        stream.shutdown(socket.SHUT_WR)
        assert stream.recv(1) == b""
    assert established.found == ike_keys_of("isa 1")


def test_plain_text_that_nobody_reads_is_gone_with_the_client(established: Watched) -> None:
    plain = established.plain_text("unread", 65472)
    bob = established.talk.responder
    sealed = bob.call(rpc2.IsaEncrypt(isa=1, aad_length=0, message=plain)).protected
    request = rpc2.IsaDecrypt(isa=1, aad_length=0, message=sealed)
    frame = SizedFrames().request(Header(request.code, 1), request.encode())
    with established.process.connect() as stream:
        stream.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                stream.send(frame)
    established.talk.initiator.call(rpc2.TkmVersion())
    assert established.found == ike_keys_of("isa 1")


def test_keys_that_generation_1_hands_out_are_in_memory_as_long_as_the_ike_sa(
    tmp_path: Path,
) -> None:
    config = config_of("alice", allow_sha1=True)
    with (
        KeyManagerProcess(tmp_path, "alice", REAL, "--rpc", "1", config=config) as process,
        closing(process.transport(RPC1)) as transport,
    ):
        alice = replace(host("alice"), client=Charon(Client(RPC1, transport)))
        watched = Watched(process, alice, sha1_host("bob"))
        watched.talk.ike_sa_init(MODP_3072)
        watched.note_ike_keys(1, "isa 1")
        assert watched.found == ike_keys_of("isa 1")
        watched.talk.initiator.call(rpc2.IsaReset(isa=1))
        assert watched.found == set()
