# SPDX-License-Identifier: GPL-2.0-or-later
"""Who has a right to speak, and says nonsense: an authenticated peer, a VICI client."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from unittest.mock import patch

from ike.daemon.service import Service
from ike.engine import protection
from ike.errors import UnknownName
from ike.message import chain
from ike.message.header import Header
from ike.message.payloads import Payload
from ike.vici import message as vici
from ike.vici.commands import COMMANDS, EVENTS
from ike.vici.control import Control
from ike.vici.errors import BrokenPacket
from ike.vici.packet import Packet, PacketType
from ike.vici.session import Session
from tests.unit.ike.forging import LIFE, Forge, cut, extreme, flip, join, rearranged, truncate
from tests.unit.ike.network import Network

Chain = tuple[int, bytes]
"""The type of the first payload, and the octets of all."""


def _octets(forge: Forge) -> Callable[[random.Random, Chain, Chain], Chain]:
    """What forges datagrams, for payloads inside of one."""
    longest = Header.LENGTH
    return lambda chance, own, other: (own[0], forge(chance, own[1].ljust(longest), other[1]))


INSIDE: dict[str, Callable[[random.Random, Chain, Chain], Chain]] = {
    "flip": _octets(flip),
    "truncate": _octets(truncate),
    "extreme": _octets(extreme),
    "rearrange": lambda chance, own, other: join(rearranged(chance, cut(*own), cut(*other))),
}


@contextmanager
def insider(chance: random.Random, share: float) -> Iterator[Counter[str]]:
    """Payloads are forged before they are encrypted, so they come from the very peer.

    :param share: of the messages of both sides.
    """
    encode, real, forged = chain.encode_chain, [(0, b"")], Counter[str]()

    def encode_chain(payloads: Sequence[Payload]) -> Chain:
        own = encode(payloads)
        real.append(own)
        if not own[1] or chance.random() >= share:
            return own
        kind = chance.choice(list(INSIDE))
        forged[kind] += 1
        return INSIDE[kind](chance, own, chance.choice(real))

    with patch.object(protection, "encode_chain", encode_chain):
        yield forged


def misbehave(seed: int) -> tuple[Counter[str], list[str]]:
    """What has been forged in a life with a peer that says nonsense, and what is wrong after it.

    What the peer says about its own SAs is believed, so the two need not agree in the end.
    """
    network, chance = Network(seed, fragmentation=bool(seed % 2)), random.Random(seed)
    with insider(chance, 0.3) as forged:
        for stage in (*LIFE, *LIFE):
            with suppress(UnknownName):  # a Child SA may have lost its IKE SA
                LIFE[stage](network)
            network.run(20)
    for side in network.sides:
        side.engine.terminate("test", network.now)
    network.run(700)
    held = [(side.contexts(), side.in_tkm(), side.engine.registry) for side in network.sides]
    found = [f"{held} is still held at the end"] if any(any(each) for each in held) else []
    network.ping(network.alice)
    network.run(20)
    return forged, [*found, *([] if network.is_up() else ["afterwards nothing comes up"])]


def pester(seed: int, count: int) -> int:
    """Feed forged VICI packets to sessions; how many of the sessions were hung up on."""
    network, chance = Network(seed), random.Random(seed)
    network.ping(network.alice)
    network.run(20)
    hung_up = 0
    with Service(network.alice.engine, ()) as service:
        control = Control(service, lambda: network.now)
        session = Session(control)
        for _ in range(count):
            own, other = _vici(chance), _vici(chance)
            forge = chance.choice((flip, truncate, extreme, _mix))
            octets = forge(chance, own, other)
            try:
                session.feed(len(octets).to_bytes(4, "big") + octets)
                session.proceed()
            except BrokenPacket:
                hung_up += 1
                session = Session(control)
            session.to_send.clear()
            if session.job:
                session = Session(control)
            network.run(0.1)
    return hung_up


def _vici(chance: random.Random) -> bytes:
    """A good packet, without its length."""
    if chance.random() < 0.3:
        return Packet(PacketType.EVENT_REGISTER, chance.choice(sorted(EVENTS))).encode()[4:]
    values = vici.encode({"child": "net", "ike": "to-bob", "noblock": "yes", "timeout": "1"})
    return Packet(PacketType.CMD_REQUEST, chance.choice(list(COMMANDS)), values).encode()[4:]


def _mix(chance: random.Random, octets: bytes, other: bytes) -> bytes:
    """The front of one, the back of another."""
    return octets[: chance.randrange(len(octets))] + other[chance.randrange(len(other)) :]
