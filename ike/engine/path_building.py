# SPDX-License-Identifier: GPL-2.0-or-later
"""Certification paths from a trust anchor to the peer (RFC 4158), the most likely one first.

Names do not identify a CA: it may have been rekeyed, renewed or cross-signed, and two trust anchors
may share a name. Key identifiers are a hint that may be missing or wrong, so every path whose names
chain is a candidate. Signatures are not verified here: the TKM judges a path, and its refusal of
one certificate rules out all paths that have this certificate below the same issuer.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise

from ike.x509 import Certificate, comparable

Path = tuple[Certificate, ...]
"""From a trust anchor down to the peer."""

LONGEST = 10
"""Certificates of a path, the trust anchor included; the TKM accepts no more."""
_MOST_STEPS = 2000
"""A peer that sends hundreds of certificates of one name gets no more of our time than this."""


class PathBuilder:
    """A search for paths.

    Args:
        received: The certificates that the peer has sent, its own first (RFC 7296, 3.6). One that
            has issued none of the others may be its own, too, as senders mix up the order.
        known: Certificates of CAs that are not trust anchors.
        anchors: The trust anchors.
    """

    def __init__(
        self,
        received: Sequence[Certificate],
        known: Iterable[Certificate],
        anchors: Collection[Certificate],
    ) -> None:
        self._names: dict[bytes, Hashable] = {}
        issuers = {self._name(each.issuer) for each in received}
        others = (end for end in received[1:] if self._name(end.subject) not in issuers)
        self._ends = [*received[:1], *others]
        self._anchors = frozenset(anchors)
        self._by_subject: defaultdict[Hashable, list[Certificate]] = defaultdict(list)
        for certificate in dict.fromkeys((*anchors, *received, *known)):
            self._by_subject[self._name(certificate.subject)].append(certificate)
        self._refused: set[tuple[Certificate, ...]] = set()

    def refuse(self, part: Path) -> None:
        """Pass over paths from now on that have this part: an issuer and what is below, or an end.

        Args:
            part: One or two certificates that follow each other, the issuer first.
        """
        self._refused.add(part)

    def paths(self) -> Iterator[Path]:
        """All paths: those of the peer's first certificate, by key identifiers, and the short."""
        waiting: list[tuple[int, int, int, int, Path]]
        waiting = [(rank, 0, 1, rank, (end,)) for rank, end in enumerate(self._ends)]
        steps = len(waiting)
        while waiting:
            rank, doubt, length, _, path = heappop(waiting)
            if self._is_refused(path):
                continue
            if length > 1 and path[0] in self._anchors:
                yield path
                continue
            for issuer in self._by_subject.get(self._name(path[0].issuer), ()):
                if issuer not in path and length < LONGEST and steps < _MOST_STEPS:
                    steps += 1
                    longer = (issuer, *path)
                    more = doubt + _doubt(issuer, path[0])
                    heappush(waiting, (rank, more, length + 1, steps, longer))

    def _name(self, octets: bytes) -> Hashable:
        """What is equal for names that compare equal; a malformed one is equal to itself alone."""
        if octets not in self._names:
            try:
                self._names[octets] = comparable(octets)
            except ValueError:
                self._names[octets] = octets
        return self._names[octets]

    def _is_refused(self, path: Path) -> bool:
        pairs = pairwise(path)
        return path[-1:] in self._refused or not self._refused.isdisjoint(pairs)


def _doubt(issuer: Certificate, certificate: Certificate) -> int:
    """How little key identifiers speak for this issuer: 0 equal, 1 missing, 2 different."""
    if not (issuer.key_id and certificate.issuer_key_id):
        return 1
    return 0 if issuer.key_id == certificate.issuer_key_id else 2
