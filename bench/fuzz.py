#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Forged frames at a real tkm_keymanager, for long: no crash, no hang, no growth.

    .venv/bin/python bench/fuzz.py --frames 1000000 [--seed 1]
    .venv/bin/python bench/fuzz.py --messages 1000000 [--seed 1]

With ``--messages`` it is the reader of IKE messages, the one parser that the Key Manager has of its
own, that gets as many, changed like frames (tests/unit/tkm/forged_messages.py): it takes what is
right and refuses all else with one error.

In generation 2 every twentieth frame has a certificate that the CA has signed, but that is odd, or
an AUTH payload that goes with it (tests/attacks/odd.py).

For each generation of the protocol a Key Manager runs in a network namespace of its own. It gets a
conversation again and again, from nothing or when an IKE SA is established, and between its frames
others: bit-flipped, cut, lengthened, spliced, made up; one or several in a write, in pieces. Each
is answered. A batch ends with a stream that goes astray: a frame that stops half-way, one that says
it is endless, noise. After it, a new client's good requests must be served. Keys are made anew each
time, so a seed repeats the kinds of frames, not their octets.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, NoReturn

from rich.markup import escape

from tkm.rpc.interface import Request

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.processes import REAL, KeyManagerProcess
from lab.cli import show
from lab.cli.layout import Listing
from tests.attacks import odd
from tests.unit.frames import cut
from tests.unit.tkm import forged_messages
from tests.unit.tkm.charon import Charon
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.test_forged import GENERATIONS, recorded
from tests.unit.trusted import config_of, pki, sha1_host
from tkm.generation1 import rpc1
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import Header, Interface, SizedFrames
from tkm.rpc.result import Result, RpcError

BATCH = 500
LONGEST = 16384
"""Octets of a certificate that the protocol takes."""
GROWTH = 1.0
"""MB that the end may hold more than the middle."""
GOOD: dict[int, tuple[Request[Any], ...]] = {
    1: (rpc1.TkmReset(), rpc1.TkmVersion(), rpc1.NcCreate(nc=1, length=32), rpc1.NcReset(nc=1)),
    2: (rpc2.TkmReset(), rpc2.TkmVersion(), rpc2.NcCreate(nc=1, length=32), rpc2.NcReset(nc=1)),
}
"""What a client of each generation wants after every batch; the reset frees what was taken."""


MESSAGES = (
    rpc2.IsaEncrypt(isa=1, aad_length=8, message=bytes(64)),
    rpc2.IsaDecrypt(isa=1, aad_length=8, message=bytes(128)),
    rpc2.IsaIntAuth(isa=1, verify=True, message=bytes(40)),
)
"""What an IKE daemon of generation 2 has its Key Manager do, once there is an IKE SA."""


class WrongAnswerError(Exception):
    """What came back is not the answer to what was sent."""


@cache
def conversation(number: int) -> tuple[bytes, ...]:
    """The requests of one side, in order."""
    frames, framing = recorded(number), GENERATIONS[number].interface.framing()
    if number == 1:
        return tuple(frames)
    messages = [bytes(framing.request(Header(each.code, 1), each.encode())) for each in MESSAGES]
    codes = [cut(framing, frame)[0].operation for frame in frames]
    at = 1 + codes.index(rpc2.IsaCreate.code)
    return (*frames[:at], *messages, *frames[at:])


def odd_frames(chance: random.Random) -> list[bytes]:
    """A chain of generation 2 that ends with an odd certificate, and an AUTH payload."""
    ca = pki().ca.root.certificate.der
    method, data = odd.random_auth(chance)
    requests = (
        rpc2.CcReset(cc=9),
        rpc2.CcCheckCa(cc=9, ca=1, certificate=ca),
        rpc2.CcAddCertificate(cc=9, certificate=odd.random_certificate(chance)[:LONGEST]),
        rpc2.CcCheckChain(cc=9, ri=1),
        rpc2.IsaAuth(
            isa=1, cc=9, init_message=bytes(600), method=method, signature=data or b"\0"
        ),
    )  # fmt: skip
    framing = GENERATIONS[2].interface.framing()
    return [bytes(framing.request(Header(each.code, 1), each.encode())) for each in requests]


def too_long(chance: random.Random, frame: bytes, _other: bytes) -> bytes:
    """More than anybody keeps, but whole."""
    body = frame[4:].ljust(SizedFrames.LONGEST + chance.randrange(1, 10_000), b"\1")
    return len(body).to_bytes(4, "big") + body


FORGERIES = {
    1: GENERATIONS[1].forgeries,
    # It is 50 times as long as the others.
    2: (*GENERATIONS[2].forgeries * 12, too_long),
}


def cut_off(chance: random.Random, frame: bytes) -> bytes:
    """It stops half-way."""
    return frame[: chance.randrange(1, len(frame))]


def endless(chance: random.Random, frame: bytes) -> bytes:
    """Its length says more than anybody keeps, and some of that follows."""
    length = chance.choice([1 << 17, 1 << 24, (1 << 32) - 1])
    return length.to_bytes(4, "big") + frame[4:] + bytes(chance.randrange(1 << 17))


def noise(chance: random.Random, frame: bytes) -> bytes:
    """Nothing that means anything."""
    return chance.randbytes(chance.randrange(1, 4 * len(frame)))


ASTRAY: tuple[Callable[[random.Random, bytes], bytes], ...] = (cut_off, endless, noise)


@dataclass
class Fuzzer:
    """One generation, one Key Manager.

    :ivar answered: how many frames got which result.
    :ivar astray: how many streams went astray; each counts as a frame.
    :ivar memory: resident, in MB, before and after each batch.
    :ivar going: how the conversation goes on.
    :ivar odd: how a chain with an odd certificate goes on.
    """

    number: int
    process: KeyManagerProcess
    chance: random.Random
    answered: Counter[Result] = field(default_factory=Counter)
    astray: int = 0
    memory: list[float] = field(default_factory=list)
    seconds: float = 0.0
    going: Iterator[bytes] = field(default_factory=lambda: iter(()))
    odd: list[bytes] = field(default_factory=list)

    @property
    def interface(self) -> Interface:
        """Its operations and framing."""
        return GENERATIONS[self.number].interface

    def run(self, frames: int) -> None:
        """Send that many.

        :raises OSError: the Key Manager does not answer any more.
        :raises RpcError: it does not serve a good client.
        :raises WrongAnswerError: it answers something else.
        """
        began = time.perf_counter()
        self.memory.append(self.process.memory()["VmRSS"])
        while (left := frames - self.sent) > 0:
            until = self.sent + min(BATCH, left) - 1
            self.going = cycle(conversation(self.number))
            if self.chance.random() < 0.5:
                self.establish()
            with self.process.connect() as stream:
                while self.sent < until:
                    together = min(self.chance.choice((1, 1, 4)), until - self.sent)
                    self.ask(stream, [self.next_frame() for _ in range(together)])
            self.lead_astray()
            self.check()
            self.memory.append(self.process.memory()["VmRSS"])
            self.seconds = time.perf_counter() - began

    def establish(self) -> None:
        """An IKE SA with an authenticated peer, so that frames get as far as the kernel."""
        with closing(self.process.transport(self.interface)) as transport:
            client = Client(self.interface, transport)
            alice = GENERATIONS[self.number].host("alice")
            alice = replace(alice, client=Charon(client) if self.number == 1 else client)
            talk = Conversation(alice, sha1_host("bob"))
            talk.ike_sa_init(MODP_3072)
            talk.ike_auth(())

    @property
    def sent(self) -> int:
        """Frames and streams."""
        return self.answered.total() + self.astray

    def next_frame(self) -> bytes:
        """Every second one goes on with the conversation, so that contexts come to something."""
        frames = conversation(self.number)
        if self.number == 2 and self.chance.random() < 0.05:
            if not self.odd:
                self.odd = odd_frames(self.chance)
            return self.odd.pop(0)
        if self.chance.random() < 0.5:
            return next(self.going)
        forge = self.chance.choice(FORGERIES[self.number])
        return forge(self.chance, self.chance.choice(frames), self.chance.choice(frames))

    def ask(self, stream: socket.socket, frames: list[bytes]) -> None:
        """Send frames in one write or two, wherever the first one ends, and judge the answers."""
        octets = b"".join(frames)
        at = self.chance.randrange(len(octets)) if self.chance.random() < 0.2 else 0
        stream.sendall(octets[:at])
        stream.sendall(octets[at:])
        received, framing = bytearray(), self.interface.framing()
        for frame in frames:
            while (answer := framing.cut(received, responses=True)) is None:
                received += stream.recv(65536) or _hung_up()
            self.judge(frame, *answer)

    def judge(self, frame: bytes, header: Header, body: bytes | None) -> None:
        """Count a right answer."""
        asked = self.interface.framing().cut(bytearray(frame), responses=False)
        if asked is None or header[:2] != asked[0][:2] or (header.result and any(body or b"")):
            raise WrongAnswerError(f"{frame.hex()} is answered with {header} {body!r}")
        self.answered[Result(header.result)] += 1

    def lead_astray(self) -> None:
        """Write something that ends nowhere, and hang up without reading."""
        stray = self.chance.choice(ASTRAY)(
            self.chance, self.chance.choice(conversation(self.number))
        )
        with self.process.connect() as stream:
            stream.sendall(stray)
        self.astray += 1

    def check(self) -> None:
        """A new client's good requests are served."""
        with closing(self.process.transport(self.interface)) as transport:
            client = Client(self.interface, transport)
            for request in GOOD[self.number]:
                client.call(request)

    @property
    def growth(self) -> float:
        """MB from the middle to the end."""
        return self.memory[-1] - self.memory[len(self.memory) // 2]


def _hung_up() -> NoReturn:
    raise ConnectionError("the Key Manager hung up")


def fuzz(number: int, frames: int, seed: int) -> tuple[Fuzzer, str]:
    """One generation, and what is wrong with it; empty: nothing."""
    with tempfile.TemporaryDirectory() as folder:
        more = () if number == 2 else ("--rpc", str(number))
        config = config_of("alice", allow_sha1=True)
        with KeyManagerProcess(Path(folder), "alice", REAL, *more, config=config) as process:
            process.transport(GENERATIONS[number].interface).close()
            fuzzer = Fuzzer(number, process, random.Random(seed))
            try:
                fuzzer.run(frames)
            except (OSError, RpcError, WrongAnswerError) as error:
                return fuzzer, process.end or f"{type(error).__name__}: {error}"
            grown = fuzzer.growth > GROWTH
            return fuzzer, f"it has grown by {fuzzer.growth:.1f} MB" if grown else ""


def fuzz_reader(count: int, seed: int) -> int:
    """Have IKE messages read; a fault of the reader's ends it with the message that shows it."""
    began = time.perf_counter()
    outcomes = forged_messages.run(random.Random(seed), count)
    table = Listing("WHAT", "MESSAGES", right=("MESSAGES",))
    for outcome, number in sorted(outcomes.items()):
        table.add_row(outcome, f"{number:,}")
    table.add_row("messages a second", f"{count / (time.perf_counter() - began):,.0f}")
    show.out.print(table)
    return 0


def main() -> int:
    """Fuzz, print and judge."""
    parser = argparse.ArgumentParser(description="Send forged frames to a real tkm_keymanager.")
    parser.add_argument("--frames", type=int, default=1_000_000, help="of both generations in sum")
    parser.add_argument("--messages", type=int, help="at the reader of IKE messages instead")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.messages:
        return fuzz_reader(arguments.messages, arguments.seed)
    found = [fuzz(number, arguments.frames // 2, arguments.seed) for number in GENERATIONS]
    print_table([fuzzer for fuzzer, _ in found])
    for fuzzer, fault in found:
        verdict = f"[bold red]{escape(fault)}[/]" if fault else "[bold green]good[/]"
        show.out.print(f"generation {fuzzer.number}: {verdict}")
    return 1 if any(fault for _, fault in found) else 0


def print_table(fuzzers: list[Fuzzer]) -> None:
    """A column for each generation."""
    columns = tuple(f"GENERATION {fuzzer.number}" for fuzzer in fuzzers)
    table = Listing("WHAT", *columns, right=columns)

    def row(name: str, value: Callable[[Fuzzer], object]) -> None:
        table.add_row(name, *(str(value(fuzzer)) for fuzzer in fuzzers))

    row("frames", lambda fuzzer: f"{fuzzer.sent:,}")
    for result in Result:
        name = "  refused: " if result else "  "
        row(f"{name}{result.name}", lambda fuzzer, of=result: f"{fuzzer.answered[of]:,}")  # type: ignore[misc]
    row("  gone astray", lambda fuzzer: f"{fuzzer.astray:,}")
    row("frames a second", lambda fuzzer: f"{fuzzer.sent / max(fuzzer.seconds, 1e-9):,.0f}")
    for name, at in {"start": 0.0, "middle": 0.5, "end": 1.0}.items():
        row(
            f"MB at the {name}",
            lambda fuzzer, at=at: f"{fuzzer.memory[int(at * (len(fuzzer.memory) - 1))]:.1f}",  # type: ignore[misc]
        )
    show.out.print(table)


if __name__ == "__main__":
    sys.exit(main())
