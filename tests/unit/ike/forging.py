# SPDX-License-Identifier: GPL-2.0-or-later
"""Forged packets: what anybody on the way can make of real ones, thrown at every stage of a life.

An :class:`Attacker` sits on a network. Each real datagram finds both sides in the very stage that
it belongs to; so before each one the attacker throws a handful of forgeries, of this datagram and
of those that went before. Nothing of that may change an IKE SA that has keys, nor go unmentioned.
"""

import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from struct import Struct

from ike.address import Endpoint
from ike.engine.context import Datagram
from ike.engine.states import State
from ike.message.header import Header
from tests.unit.ike.network import Network, Side

GENERIC = Struct(">BBH")
LENGTH_AT = 24
Forge = Callable[[random.Random, bytes, bytes], bytes]
"""Makes something of a datagram, and of another."""


def with_length(octets: bytes) -> bytes:
    """The header says how long it is."""
    return octets[:LENGTH_AT] + len(octets).to_bytes(4, "big") + octets[LENGTH_AT + 4 :]


# Chains of payloads


def cut(first: int, octets: bytes) -> list[tuple[int, bytes]]:
    """Types and bodies of payloads, as far as they go; an encrypted one is the last."""
    payloads = []
    while first and len(octets) >= GENERIC.size:
        following, _, length = GENERIC.unpack_from(octets)
        payloads.append((first, octets[GENERIC.size : length]))
        first, octets = following, octets[max(length, GENERIC.size) :]
    return payloads


def join(payloads: Iterable[tuple[int, bytes]]) -> tuple[int, bytes]:
    """The type of the first one, and the octets of all."""
    following, octets = 0, b""
    for kind, body in reversed(list(payloads)):
        octets = GENERIC.pack(following, 0, (GENERIC.size + len(body)) & 0xFFFF) + body + octets
        following = kind
    return following, octets


def rearranged(
    chance: random.Random, payloads: list[tuple[int, bytes]], others: list[tuple[int, bytes]]
) -> list[tuple[int, bytes]]:
    """The payloads in another order; one is missing, one is there twice, or some are another's."""
    made = payloads[:]
    deed = chance.randrange(4) if made else 3
    if deed == 0:
        chance.shuffle(made)
    elif deed == 1:
        made.remove(chance.choice(made))
    elif deed == 2:
        made.insert(chance.randrange(len(made) + 1), chance.choice(made))
    else:
        made[chance.randrange(len(made) + 1) :] = others[chance.randrange(len(others) + 1) :]
    return made


# Forgeries of datagrams


def flip(chance: random.Random, octets: bytes, _other: bytes) -> bytes:
    """Some bits are others."""
    forged = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        forged[chance.randrange(len(forged))] ^= 1 << chance.randrange(8)
    return bytes(forged)


def truncate(chance: random.Random, octets: bytes, _other: bytes) -> bytes:
    """It ends early; every second one knows."""
    forged = octets[: chance.randrange(len(octets))]
    return with_length(forged) if chance.random() < 0.5 and len(forged) >= Header.LENGTH else forged


def lengthen(chance: random.Random, octets: bytes, _other: bytes) -> bytes:
    """It goes on; every second one knows."""
    forged = octets + chance.randbytes(chance.choice((1, 7, 400)))
    return with_length(forged) if chance.random() < 0.5 else forged


def splice(chance: random.Random, octets: bytes, other: bytes) -> bytes:
    """The front of one, the back of another."""
    return with_length(
        octets[: chance.randrange(Header.LENGTH, len(octets))]
        + other[chance.randrange(len(other)) :]
    )


def rearrange(chance: random.Random, octets: bytes, other: bytes) -> bytes:
    """The payloads in another order, with one more or less."""
    chains = (cut(each[16], each[Header.LENGTH :]) for each in (octets, other))
    first, body = join(rearranged(chance, *chains))
    return with_length(octets[:16] + bytes((first,)) + octets[17 : Header.LENGTH] + body)


def extreme(chance: random.Random, octets: bytes, _other: bytes) -> bytes:
    """A field has the lowest or the highest value, or one that is next to it."""
    size = chance.choice([size for size in (1, 2, 4, 8) if size < len(octets)])
    value = chance.choice((0, 1, (1 << 8 * size) - 2, (1 << 8 * size) - 1)).to_bytes(size, "big")
    at = chance.randrange(len(octets) - size)
    return octets[:at] + value + octets[at + size :]


def readdress(chance: random.Random, octets: bytes, other: bytes) -> bytes:
    """The header is another message's: SPIs, exchange, flags or message id."""
    start, end = chance.choice(((0, 8), (8, 16), (0, 16), (18, 19), (19, 20), (20, 24), (0, 24)))
    return octets[:start] + other[start:end] + octets[end:]


def noise(chance: random.Random, octets: bytes, _other: bytes) -> bytes:
    """Behind a header that looks fine there is nothing that means anything."""
    return octets[: Header.LENGTH] + chance.randbytes(len(octets) - Header.LENGTH)


FORGERIES: tuple[Forge, ...] = (
    flip,
    truncate,
    lengthen,
    splice,
    rearrange,
    extreme,
    readdress,
    noise,
)


# Throwing them


class Words(logging.Handler):
    """Counts what the engines say; every line is put together, as if somebody read it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()
        self.count += 1


def standing(side: Side) -> list[tuple[int, State, frozenset[bytes]]]:
    """What no forgery may change: IKE SAs that are established, and their Child SAs."""
    settled = (State.ESTABLISHED, State.REKEYED, State.DELETING)
    return [
        (sa.id, sa.state, frozenset(sa.peer.children))
        for sa in side.engine.registry.values()
        if sa.state in settled
    ]


class Attacker:
    """Throws forgeries at both sides, before each datagram and whenever it is told to.

    :param most: how many before one datagram.
    :ivar thrown: how many of each kind.
    :ivar faults: what should not have come of them.
    """

    def __init__(self, network: Network, seed: int, most: int) -> None:
        self.network = network
        self.chance = random.Random(seed)
        self.most = most
        self.thrown: Counter[str] = Counter()
        self.faults: list[str] = []
        self.words = Words()
        self._real: deque[Datagram] = deque(maxlen=40)
        self._known: set[bytes] = set()
        self._provoked: set[bytes] = set()

    def __enter__(self) -> "Attacker":
        logger = logging.getLogger("ike")
        self._level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self.words)
        self.network.meddler = self._meddle
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("ike")
        logger.setLevel(self._level)
        logger.removeHandler(self.words)
        self.network.meddler = lambda datagram: [datagram.octets]

    def _meddle(self, datagram: Datagram) -> list[bytes]:
        # Answers to forgeries are not attacked in turn: there would be no end.
        if datagram.octets not in self._provoked:
            self._real.append(datagram)
            self._known.add(datagram.octets)
            self.throw(self.chance.randint(self.most // 2, self.most))
        return [datagram.octets]

    def pause(self) -> None:
        """Let the two set up an IKE SA: nothing protects IKE_SA_INIT, so it can be foiled."""
        network = self.network
        network.meddler = lambda datagram: [datagram.octets]
        network.run(200)
        network.ping(network.alice)
        network.run(20)
        network.meddler = self._meddle

    def throw(self, count: int) -> None:
        """Throw forgeries of what has been seen, the latest most often."""
        for _ in range(count):
            at = -1 if self.chance.random() < 0.5 else self.chance.randrange(len(self._real))
            forge = self.chance.choice(FORGERIES)
            origin, other = self._real[at], self.chance.choice(self._real)
            octets = forge(self.chance, origin.octets, other.octets)
            if octets not in self._known:
                self._throw(forge.__name__, origin, octets)

    def _throw(self, kind: str, origin: Datagram, octets: bytes) -> None:
        source, target = origin.local, origin.remote
        if self.chance.random() < 0.1:
            source, target = target, source
        if self.chance.random() < 0.2:
            source = Endpoint(f"203.0.113.{self.chance.randrange(256)}", 500)
        side = next(side for side in self.network.sides if side.endpoint.host == target.host)
        before, words, waiting = standing(side), self.words.count, len(side.engine.context.outbox)
        side.engine.receive_datagram(octets, target, source, self.network.now)
        self.thrown[kind] += 1
        self._provoked |= {each.octets for each in side.engine.context.outbox[waiting:]}
        if standing(side) != before:
            self.faults.append(f"{kind}: {octets.hex()} has changed an established IKE SA")
        if self.words.count == words:
            self.faults.append(f"{kind}: nothing is said about {octets.hex()}")


# A life, with an attacker on the way


def _rekey_child(network: Network) -> None:
    for child in list(network.alice.engine.context.children.values()):
        network.alice.engine.expire(1, child.spi_remote, hard=False, now=network.now)


def _rekey_ike(network: Network) -> None:
    for sa in network.bob.engine.sas():
        if sa.state is State.ESTABLISHED:
            network.bob.engine.rekey_ike_sa(sa.id, network.now)


def _delete_child(network: Network) -> None:
    for spi in list(network.bob.engine.context.children):
        network.bob.engine.delete_child_sa(spi, "test", network.now)


LIFE: dict[str, Callable[[Network], None]] = {
    "setting up": lambda network: network.ping(network.alice),
    "rekeying the Child SA": _rekey_child,
    "rekeying the IKE SA": _rekey_ike,
    "deleting the Child SA": _delete_child,
    "another Child SA": lambda network: network.ping(network.bob),
    "standing": lambda network: None,
    "deleting the IKE SA": lambda network: network.alice.engine.terminate("test", network.now),
}
"""Stages of an IKE SA, and what begins each. It must survive all but the last one."""
FIRST, *_, LAST = LIFE


def live(seed: int, most: int) -> Attacker:
    """A whole life under attack; :attr:`Attacker.faults` is empty if all went well."""
    network = Network(
        seed,
        ike=("aes256-sha512-modp3072", "aes256-sha512-modp3072-ke1_modp4096")[seed % 2],
        esp=("aes256-sha512", "aes256-sha512-modp3072")[seed // 2 % 2],
        fragmentation=bool(seed // 4 % 2),
    )
    with Attacker(network, seed, most) as attacker:
        for stage, begin in LIFE.items():
            begin(network)
            network.run(20)
            attacker.throw(most)
            if stage == FIRST and not network.is_up():
                attacker.pause()
            if stage != LAST and not _is_standing(network):
                attacker.faults.append(f"{stage}: the IKE SA is lost")
                break
        network.run(300)
    for side in network.sides:
        if side.contexts() or side.in_tkm() or side.engine.registry:
            attacker.faults.append(f"{side.name} still holds {side.contexts()} at the end")
    return attacker


def _is_standing(network: Network) -> bool:
    return all("ESTABLISHED" in side.ike_sas() for side in network.sides)
