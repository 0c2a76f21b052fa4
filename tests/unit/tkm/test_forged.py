# SPDX-License-Identifier: GPL-2.0-or-later
"""Forged frames at a whole TKM: each is answered, none does harm, the next is served."""

import random

import pytest

from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.snapshot import snapshot
from tests.unit.trusted import host
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import SizedFrames
from tkm.rpc.result import Result
from tkm.rpc.rpc2 import RPC2
from tkm.rpc.server import Connection

FRAMES = 1500
"""Forged frames a test; bench/fuzz.py goes further."""


@pytest.fixture(scope="module")
def recorded() -> list[bytes]:
    """All that alice's IKE daemon asks in a conversation with rekeys."""
    frames: list[bytes] = []
    alice, bob = host("alice"), host("bob")
    transport = alice.client._transport

    def carry(frame: bytes) -> bytes:
        frames.append(frame)
        return transport(frame)

    alice.client = Client(RPC2, carry)
    talk = Conversation(alice, bob).start(MODP_3072)
    talk.rekey_child(alice, 1, 2, MODP_3072)
    talk.rekey_child(bob, 2, 1)
    for end in talk.ends:
        talk.say(end, bytes(32))
    successor = talk.rekey_ike(alice, 2, MODP_3072)
    successor.delete_child(1)
    successor.delete()
    return frames


def flip(chance: random.Random, frame: bytes) -> bytes:
    octets = bytearray(frame)
    for _ in range(chance.randint(1, 4)):
        # Not the length: then it would be the frames behind that are forged.
        place = chance.randrange(4, len(octets))
        octets[place] ^= 1 << chance.randrange(8)
    return bytes(octets)


def resize(chance: random.Random, frame: bytes) -> bytes:
    body = frame[4:]
    cut = chance.randrange(8, len(body) + 1)
    body = chance.choice([body[:cut], body + chance.randbytes(chance.randint(1, 50))])
    return len(body).to_bytes(4, "big") + body


def splice(chance: random.Random, frame: bytes, other: bytes) -> bytes:
    body = frame[4:12] + other[12:]
    return len(body).to_bytes(4, "big") + body


def invent(chance: random.Random) -> bytes:
    code = chance.choice([*RPC2.operations, chance.randrange(1 << 16)])
    head = code.to_bytes(2, "big") + bytes(2) + chance.randbytes(4)
    small = bytes(chance.choice([0, 0, 0, 1, 2]) for _ in range(chance.randrange(60)))
    body = head + chance.choice([small, chance.randbytes(chance.randrange(400))])
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("seed", range(3))
def test_forged_frames(recorded, seed):
    chance, alice = random.Random(seed), host("alice")
    connection = Connection(alice.manager.dispatcher())
    results = []
    for _ in range(FRAMES):
        good = chance.choice(recorded)
        frame = chance.choice(
            [
                good,
                flip(chance, good),
                resize(chance, good),
                splice(chance, good, chance.choice(recorded)),
                invent(chance),
            ]
        )
        before = snapshot(alice)
        connection.feed(frame)
        answer, body = SizedFrames().cut(connection.to_send, responses=True)
        assert connection.to_send == b""
        assert answer.operation == int.from_bytes(frame[4:6], "big")
        assert answer.request_id == int.from_bytes(frame[8:12], "big")
        results.append(Result(answer.result))
        if answer.result:
            assert body == b""
            assert snapshot(alice) == before
    assert results.count(Result.OK) > 20
    assert len(set(results)) > 5
    alice.client.call(rpc2.TkmReset())
    assert snapshot(alice)[0] == {}
    Conversation(alice, host("bob")).start(MODP_3072)


def test_the_conversation_is_worth_forging(recorded):
    codes = {int.from_bytes(frame[4:6], "big") for frame in recorded}
    assert len(codes) > 20
