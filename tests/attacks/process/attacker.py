# SPDX-License-Identifier: GPL-2.0-or-later
"""Who attacks a running tkm_keymanager over its socket, and who judges what comes of it.

The program is the real one, with its sandbox and its log, on a kernel that writes a journal
(``judged_keymanager.py``). bob is a peer that plays along; his Key Manager is in this process.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from bench.processes import ROOT, KeyManagerProcess
from tests.attacks.daemon import two_policies
from tests.unit.frames import cut
from tests.unit.tkm.charon import Charon
from tests.unit.tkm.conversation import MODP_3072, Conversation, End
from tests.unit.trusted import host, identity, sha1_host
from tkm.config.policy import Config
from tkm.generation1.rpc1 import RPC1
from tkm.rpc import rpc2
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.interface import Header, Interface, Request
from tkm.rpc.result import Disconnected, FieldError, Refused, Result

JUDGED = (sys.executable, str(ROOT / "tests" / "attacks" / "process" / "judged_keymanager.py"))
INTERFACES = {1: RPC1, 2: rpc2.RPC2}


def config() -> Config:
    """Policy 1 is with bob, policy 2 with carol at another address, whose key nobody has."""
    made = two_policies()
    for number, policy in made.policies.items():
        remote = replace(policy.remote, allow_sha1=True)
        if number == 2:
            remote = replace(remote, ip=ip_address("192.168.0.3"), identity=identity("carol"))
        made.policies[number] = replace(policy, remote=remote)
    return made


@dataclass
class Attacker:
    """Has the socket.

    :ivar generation: of the protocol.
    :ivar keys: digests of all keys that the kernel was ever given.
    """

    generation: int
    process: KeyManagerProcess
    folder: Path
    client: Any
    attempts: int = 0
    keys: set[str] = field(default_factory=set)

    @property
    def interface(self) -> Interface:
        return INTERFACES[self.generation]

    @contextmanager
    def another_client(self) -> Iterator[Any]:
        """A client of its own."""
        with closing(self.process.transport(self.interface)) as transport:
            yield _client(self.generation, transport)

    def talk(self, *, initiator: bool = True, number: int = 1) -> Conversation:
        """A conversation of alice, which is the process, with bob."""
        alice, bob = replace(host("alice"), client=self.client), sha1_host("bob")
        pair = (alice, bob) if initiator else (bob, alice)
        return Conversation(*pair, isa=number, ae=number)

    def derived(self, **options: Any) -> tuple[Conversation, End, End]:
        """With an IKE SA; the conversation, alice and bob."""
        talk = self.talk(**options)
        talk.ike_sa_init(MODP_3072)
        ends = talk.ends if talk.initiator.host.name == "alice" else talk.ends[::-1]
        return talk, *ends

    def authenticated(self, **options: Any) -> tuple[Conversation, End, End]:
        """With an authenticated peer."""
        talk, alice, bob = self.derived(**options)
        talk.ike_auth(self.hashes)
        return talk, alice, bob

    def active(self, **options: Any) -> tuple[Conversation, End, End]:
        """With a peer that may have Child SAs."""
        talk, alice, bob = self.authenticated(**options)
        talk.skip_first()
        return talk, alice, bob

    @property
    def hashes(self) -> tuple[int, ...]:
        return () if self.generation == 1 else (2,)

    def refused(self, request: Request[Any], *results: Result, client: Any = None) -> None:
        """Ask for what must not be, twice: the kernel's states do not change."""
        before = self.states
        for _ in range(2):
            self.attempts += 1
            with pytest.raises((Refused, FieldError)) as caught:
                (client or self.client).call(request)
            assert isinstance(caught.value, Refused | FieldError)
            result = caught.value.result
            if self.generation == 2:
                assert result is not Result.ABORTED
                assert not results or result in results
        assert self.states == before

    def is_refused(self, request: Request[Any]) -> bool:
        """Ask for what must not be."""
        self.attempts += 1
        try:
            self.client.call(request)
        except Refused:
            return True
        return False

    def raw(self, code: int, body: bytes, result: int = 0) -> Result:
        """Send a frame that no client would make, and return the answer's result."""
        framing = self.interface.framing()
        frame = bytes(framing.request(Header(code, 7), body))
        if result:
            frame = frame[:6] + result.to_bytes(2, "big") + frame[8:]
        self.attempts += 1
        with closing(self.process.transport(self.interface)) as transport:
            header, rest = cut(framing, transport(frame), responses=True)
        assert header[:2] == (code, 7)
        assert header.result == 0 or not any(rest)
        return Result(header.result)

    @property
    def journal(self) -> list[dict[str, Any]]:
        """What the kernel was asked for."""
        return [json.loads(line) for line in (self.folder / "journal").read_text().splitlines()]

    @property
    def states(self) -> set[tuple[str, str]]:
        """What the kernel has now."""
        states: set[tuple[str, str]] = set()
        for row in self.journal:
            these = {(address, spi) for address, spi in row.get("states", ())}
            if row["what"] == "add" and row["granted"]:
                states |= these
            elif row["what"] == "delete":
                states -= these
            elif row["what"] == "flush states":
                states.clear()
        return states

    def judge(self) -> None:
        """The promises, after whatever was tried; and a good client is served."""
        keys = [key for row in self.journal if row["what"] == "add" for key in row["keys"]]
        assert len(keys) == len(set(keys)), "the kernel was given a key twice"
        policies = {row["policy"] for row in self.journal if row["what"] == "add"}
        assert policies <= {1}, "nobody was authenticated for another policy"
        log = (self.folder / "log").read_text()
        for fault in ("aborted", "hung up on", "unexpected", "Traceback"):
            assert fault not in log, [line for line in log.splitlines() if fault in line]
        with self.another_client() as client:
            client.call(rpc2.TkmReset())
            assert self.states == set()
            client.call(rpc2.NcCreate(nc=1, length=32))
            client.call(rpc2.NcReset(nc=1))


def _client(generation: int, transport: SocketTransport) -> Any:
    client = Client(INTERFACES[generation], transport)
    return Charon(client) if generation == 1 else client


@contextmanager
def attacker(generation: int, folder: Path, made: Config | None = None) -> Iterator[Attacker]:
    """Of a process of its own."""
    program = (*JUDGED,)
    more = ("--rpc", str(generation), "--log", str(folder / "log"), str(folder / "journal"))
    with (
        KeyManagerProcess(folder, "alice", program, *more, config=made or config()) as process,
        closing(process.transport(INTERFACES[generation])) as transport,
    ):
        yield Attacker(generation, process, folder, _client(generation, transport))
        with suppress(Disconnected):
            assert not process.end, process.end
