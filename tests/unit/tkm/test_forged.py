# SPDX-License-Identifier: GPL-2.0-or-later
"""Forged frames at a whole TKM: each is answered, none does harm, the next is served."""

import random
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

from tests.unit.frames import cut
from tests.unit.tkm.charon import host1
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.rpc.feeding import feed, take
from tests.unit.tkm.snapshot import snapshot
from tests.unit.trusted import Host, host, sha1_host
from tkm.generation1.rpc1 import RPC1
from tkm.generation1.translation import Generation1
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import FixedFrames, Interface, SizedFrames
from tkm.rpc.result import Result
from tkm.rpc.rpc2 import RPC2
from tkm.rpc.server import Connection, Dispatcher

FRAMES = 1500
"""Forged frames a test; bench/fuzz.py goes further."""

Forge = Callable[[random.Random, bytes, bytes], bytes]


def sized(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def flip(chance: random.Random, frame: bytes, _other: bytes) -> bytes:
    # Not the length of generation 2: then it would be the frames behind that are forged.
    octets, end = bytearray(frame), len(frame.rstrip(b"\0"))
    for _ in range(chance.randint(1, 4)):
        octets[chance.randrange(4, max(end, 12))] ^= 1 << chance.randrange(8)
    return bytes(octets)


def resize(chance: random.Random, frame: bytes, _other: bytes) -> bytes:
    body = frame[4:]
    cut = chance.randrange(8, len(body) + 1)
    return sized(chance.choice([body[:cut], body + chance.randbytes(chance.randint(1, 50))]))


def splice(_chance: random.Random, frame: bytes, other: bytes) -> bytes:
    return sized(frame[4:12] + other[12:])


def splice1(_chance: random.Random, frame: bytes, other: bytes) -> bytes:
    return frame[:16] + other[16:]


def invent(chance: random.Random, _frame: bytes, _other: bytes) -> bytes:
    code = chance.choice([*RPC2.operations, chance.randrange(1 << 16)])
    head = code.to_bytes(2, "big") + bytes(2) + chance.randbytes(4)
    small = bytes(chance.choice([0, 0, 0, 1, 2]) for _ in range(chance.randrange(60)))
    return sized(head + chance.choice([small, chance.randbytes(chance.randrange(400))]))


def invent1(chance: random.Random, _frame: bytes, _other: bytes) -> bytes:
    code = chance.choice([*RPC1.operations, chance.randrange(1 << 64)])
    numbers = b"".join(chance.choice([0, 1, 1, 2]).to_bytes(8, "little") for _ in range(60))
    body = chance.choice([numbers, chance.randbytes(2032)])
    return (code.to_bytes(8, "little") + chance.randbytes(8) + body).ljust(2048, b"\0")


class Generation(NamedTuple):
    interface: Interface
    host: Callable[[str], Host]
    dispatcher: Callable[[Host], Dispatcher]
    forgeries: tuple[Forge, ...]


GENERATIONS = {
    1: Generation(
        RPC1,
        host1,
        lambda served: Generation1(served.manager).dispatcher(),
        (flip, splice1, invent1),
    ),
    2: Generation(
        RPC2,
        sha1_host,
        lambda served: served.manager.dispatcher(),
        (flip, resize, splice, invent),
    ),
}


@cache
def recorded(number: int) -> list[bytes]:
    """All that alice's IKE daemon asks in a conversation with rekeys."""
    frames: list[bytes] = []
    alice, bob = GENERATIONS[number].host("alice"), sha1_host("bob")
    client: Client = getattr(alice.client, "client", alice.client)
    transport = client._transport

    def carry(frame: bytes) -> bytes:
        frames.append(frame)
        return transport(frame)

    client._transport = carry
    talk = Conversation(alice, bob)
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth(())
    talk.first_child()
    talk.rekey_child(alice, 1, 2, MODP_3072)
    talk.rekey_child(bob, 2, 1)
    successor = talk.rekey_ike(alice, 2, MODP_3072)
    successor.delete_child(1)
    successor.delete()
    return frames


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("number", GENERATIONS)
def test_forged_frames(number: Any, seed: int) -> None:
    generation = GENERATIONS[number]
    chance, alice, frames = random.Random(seed), generation.host("alice"), recorded(number)
    connection = Connection(generation.dispatcher(alice))
    framing, results = generation.interface.framing(), []
    for _ in range(FRAMES):
        frame = chance.choice(frames)
        if forge := chance.choice((None, *generation.forgeries)):
            frame = forge(chance, frame, chance.choice(frames))
        asked, _ = cut(generation.interface.framing(), frame)
        before = snapshot(alice)
        feed(connection, frame)
        sent = bytearray(take(connection))
        found = framing.cut(sent, responses=True)
        assert found is not None
        answer, body = found
        assert sent == b""
        assert answer[:2] == asked[:2]
        results.append(Result(answer.result))
        if answer.result:
            assert not any(body or b"")
            assert snapshot(alice) == before
    assert results.count(Result.OK) > 20
    assert len(set(results)) > 5
    alice.client.call(rpc2.TkmReset())
    assert snapshot(alice)[0] == {}
    Conversation(alice, host("bob")).ike_sa_init(MODP_3072)


@pytest.mark.parametrize(("number", "framing"), [(1, FixedFrames), (2, SizedFrames)])
def test_the_conversation_is_worth_forging(number: int, framing: Any) -> None:
    headers = [framing().cut(bytearray(f), responses=False)[0] for f in recorded(number)]
    assert len({header.operation for header in headers}) >= 19
