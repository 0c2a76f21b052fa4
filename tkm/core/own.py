# SPDX-License-Identifier: GPL-2.0-or-later
"""What this TKM has given out as its own, and the rule that none of it comes back as the peer's.

Two SAs share a key only if the same octets went into both derivations. Each derivation consumes a
nonce of ours, which is random and used once; so it can only happen if the caller arranges *another*
nonce of ours, which it has already seen, inside the octets of the first derivation::

    first   Ni | Nr = A | X      ours is A, as initiator
    second  Ni | Nr = Y | C      ours is C, as responder; A | X = Y | C

X and Y may be nonces of ours (X = C, Y = A), or overlap with them by some octets: nonces have
several lengths, and nothing in Ni | Nr says where one ends. Whatever the lengths are, C has to be
known when X is chosen, and Ni | Nr begins or ends with it. Therefore Ni | Nr is refused if it
begins or ends with any nonce of ours that may still be consumed, except the one that is consumed
now. Nonces that are consumed or reset cannot go into a second derivation; neither can those that
are not yet made, because nobody knows them. That is the whole rule, and it needs no memory but
that of the nc contexts.

Beyond that, the last nonces and public values of ours that are not in use any more are remembered
as well (``REMEMBERED`` of them, 16 octets each), so that what an attacker reflects from the wire is
refused where it appears, and not by a signature that fails later.
"""

import hashlib
from collections import Counter
from typing import Final, TypeVar

from tkm.errors import InvalidParameter

T = TypeVar("T", int, bytes)

REMEMBERED: Final = 8192
"""How many values are remembered after their contexts are clean: at most 1.5 MB."""


class OwnValues:
    """Nonces and public values of this TKM, those in use and the last ones before.

    :param remembered: how many of those that are not in use any more are kept in mind.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._nonces: set[bytes] = set()
        self._lengths: Counter[int] = Counter()
        self._marks: Counter[bytes] = Counter()
        self._past: dict[bytes, None] = {}

    def give_nonce(self, octets: bytes) -> None:
        """A nonce of ours goes out."""
        self._nonces.add(octets)
        self._lengths[len(octets)] += 1
        self.give(octets)

    def give(self, octets: bytes) -> None:
        """A public value of ours goes out."""
        self._marks[_mark(octets)] += 1

    def retire_nonce(self, octets: bytes) -> None:
        """A nonce of ours cannot be consumed any more."""
        self._nonces.discard(octets)
        _take_one(self._lengths, len(octets))
        self.retire(octets)

    def retire(self, octets: bytes) -> None:
        """A value of ours is not in use any more."""
        mark = _mark(octets)
        _take_one(self._marks, mark)
        self._past.pop(mark, None)
        self._past[mark] = None
        if len(self._past) > self._remembered:
            del self._past[next(iter(self._past))]

    def refuse(self, octets: bytes, what: str) -> None:
        """Check a value that is said to be the peer's.

        :raises InvalidParameter: it is our own.
        """
        mark = _mark(octets)
        if mark in self._marks or mark in self._past:
            raise InvalidParameter(f"the peer's {what} is one of our own")

    def check_nonces(self, own: bytes, peer: bytes, nonces: bytes) -> None:
        """Check nonces that are to go into a derivation.

        :param own: the nonce of ours that is consumed.
        :param nonces: Ni | Nr.
        :raises InvalidParameter: another nonce of ours would lead to the same keys.
        """
        self.refuse(peer, "nonce")
        for length in self._lengths:
            for end in (nonces[:length], nonces[-length:]):
                if end != own and end in self._nonces:
                    raise InvalidParameter("the peer's nonce contains one of our own")


def _take_one(counts: Counter[T], key: T) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _mark(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()[:16]
