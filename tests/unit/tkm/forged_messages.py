# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE messages, changed at random, and a slow second reader that judges the Key Manager's.

The second reader shares no code with it and knows the rules the other way round: it takes a message
apart from the end of its header, and builds it anew from the parts that it must have. Used by
``bench/fuzz.py --messages`` and by test_message.py.
"""

import random
from collections import Counter
from typing import NamedTuple

from tests.unit.tkm.messages import (
    KE,
    NONCE,
    NOTIFY,
    SA,
    SK,
    VENDOR,
    Chain,
    init_message,
    init_payloads,
    intermediate_message,
)  # fmt: skip
from tkm.core.message import Half, check_init, check_intermediate
from tkm.errors import InvalidParameter

OURS = Half(b"our spi!", 15, bytes(range(200)), b"n" * 32)
PEERS = Half(b"the peer", 15, bytes(range(1, 200)), b"p" * 32)
SPIS = (OURS.spi, PEERS.spi)
_OPTIONAL = (SA, KE, 38, NONCE, NOTIFY, VENDOR)


class Case(NamedTuple):
    """A message, and who is said to have sent it; ``number`` 0: IKE_SA_INIT."""

    message: bytes
    by_initiator: bool
    number: int


def case(chance: random.Random) -> Case:
    """A right message, or one with a few things changed."""
    by_initiator, number = chance.random() < 0.5, chance.choice((0, 0, 1, 2))
    payloads: Chain = init_payloads(OURS)
    for _ in range(chance.choice((0, 0, 1, 2))):
        kind = chance.choice((NOTIFY, VENDOR, 38, 35, SK, 200, chance.randrange(256)))
        body = chance.randbytes(chance.randrange(40))
        payloads.insert(chance.randrange(4), (kind, body))
    if chance.random() < 0.1:
        payloads.pop(chance.randrange(len(payloads)))
    if number:
        message = intermediate_message(SPIS, number, by_initiator=by_initiator, inside=payloads)
    else:
        message = init_message(OURS, PEERS.spi, by_initiator=by_initiator, payloads=payloads)
    for _ in range(chance.choice((0, 0, 1, 3))):
        message = _change(chance, message)
    return Case(message, by_initiator, number)


def _change(chance: random.Random, message: bytes) -> bytes:
    octets = bytearray(message)
    at = chance.randrange(len(octets)) if octets else 0
    match chance.randrange(8):
        case 6 if len(octets) > 32:  # where the types of payloads are
            at = chance.choice([16, *_heads(message)])
            octets[at] = chance.choice((0, SA, KE, SK, 35, 49, 200))
        case 7 if len(octets) > 32:  # and their critical bits
            octets[chance.choice(_heads(message)) + 1] = chance.choice((0, 1, 0x80))
        case 0 if octets:
            octets[at] ^= 1 << chance.randrange(8)
        case 1 if octets:
            octets[at] = chance.choice((0, 1, 4, 0x7F, 0x80, 0xFF))
        case 2:
            del octets[at:]
        case 3:
            del octets[at : at + chance.randrange(1, 20)]
        case 4:
            octets[at:at] = chance.randbytes(chance.randrange(1, 20))
        case _:
            octets += octets[at:]
    if chance.random() < 0.5 and len(octets) >= 28:  # else nearly all fail at the length
        octets[24:28] = len(octets).to_bytes(4, "big")
    return bytes(octets)


def _heads(message: bytes) -> list[int]:
    """Where payloads begin, as far as they are there; at least one."""
    heads, at = [28], 28
    while 0 < (size := int.from_bytes(message[at + 2 : at + 4], "big")) < len(message) - at - 4:
        at += size
        heads.append(at)
    return heads


def is_taken(given: Case) -> bool:
    """Whether the Key Manager's reader takes it. Any other error than its own goes on."""
    message, by_initiator, number = given
    try:
        if number:
            check_intermediate(message, SPIS, number, by_initiator=by_initiator)
        else:
            check_init(message, OURS, PEERS, by_initiator=by_initiator)
    except InvalidParameter:
        return False
    return True


def is_right(given: Case) -> bool:
    """The same by the second reader."""
    message, by_initiator, number = given
    first = message[16:17]
    spis = b"".join(SPIS) if number or not by_initiator else OURS.spi + bytes(8)
    if not number and not by_initiator:
        spis = PEERS.spi + OURS.spi
    head = spis + first + bytes([0x20, 43 if number else 34, 0x08 if by_initiator else 0x20])
    head += number.to_bytes(4, "big") + len(message).to_bytes(4, "big")
    if len(message) < 28 or message[:28] != head:
        return False
    if not number:
        parts = _parts(message[28:], first[0])
        return parts is not None and _is_init(parts)
    return _is_intermediate(message[28:], first[0])


def _parts(rest: bytes, kind: int) -> list[tuple[int, bool, bytes]] | None:
    """All payloads: type, whether it is critical, body; ``None`` if they do not end exactly."""
    parts = []
    while kind:
        size = int.from_bytes(rest[2:4], "big")
        if len(rest) < 4 or size < 4 or size > len(rest):
            return None
        parts.append((kind, rest[1] >= 0x80, rest[4:size]))
        kind, rest = rest[0], rest[size:]
    return None if rest else parts


def _is_init(parts: list[tuple[int, bool, bytes]]) -> bool:
    kinds = [kind for kind, _, _ in parts]
    bodies = {kind: body for kind, _, body in parts}
    strange = [part for part in parts if part[0] not in _OPTIONAL]
    return (
        [kinds.count(kind) for kind in (SA, KE, NONCE)] == [1, 1, 1]
        and not any(33 <= kind <= 48 or critical for kind, critical, _ in strange)
        and bodies[NONCE] == OURS.nonce
        and bodies[KE][:2] + bodies[KE][4:] == b"\0\x0f" + OURS.public_value
        and len(bodies[KE]) == 4 + len(OURS.public_value)
    )


def _is_intermediate(rest: bytes, kind: int) -> bool:
    while kind and kind != SK:
        size = int.from_bytes(rest[2:4], "big")
        is_strange = 33 <= kind <= 48 or rest[1:2] >= b"\x80"
        if len(rest) < 4 or size < 4 or size > len(rest) or is_strange:
            return False
        kind, rest = rest[0], rest[size:]
    if kind != SK or len(rest) < 4 or int.from_bytes(rest[2:4], "big") != len(rest):
        return False
    return _parts(rest[4:], rest[0]) is not None


def run(chance: random.Random, count: int) -> Counter[str]:
    """Read so many messages with both.

    Raises:
        AssertionError: They disagree.
    """
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        made = case(chance)
        taken = is_taken(made)
        assert taken == is_right(made), f"{'taken' if taken else 'refused'}: {made}"
        outcomes["taken" if taken else "refused"] += 1
    return outcomes
