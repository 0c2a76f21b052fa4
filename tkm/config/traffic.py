# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic that several policies cover: the most specific policy decides (RFC 4301, 4.4.1).

The SPD is an ordered list. The order is that of the bits that the selectors leave open, which is
charon's, too. It does not depend on the order in a file, and both ends of a policy agree on it.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from itertools import product
from typing import Final, NamedTuple

PRIORITY: Final = 3843
"""Of policies in the kernel that overlap with no other, as the original installs all of them."""


class Selectors(NamedTuple):
    """The addresses of both sides of the traffic."""

    local: IPv4Network | IPv6Network
    remote: IPv4Network | IPv6Network

    @property
    def breadth(self) -> int:
        """How many bits of the addresses are left open: the fewer, the more specific."""
        return sum(net.max_prefixlen - net.prefixlen for net in self)


def priorities(selectors: Mapping[int, Selectors]) -> dict[int, int]:
    """The priorities of policies in the kernel, by id: the lowest number is asked first."""
    overlapping = {number for number, _ in overlaps(selectors)}
    return {
        number: PRIORITY + (each.breadth if number in overlapping else 0)
        for number, each in selectors.items()
    }


def overlaps(selectors: Mapping[int, Selectors]) -> Iterator[tuple[int, int]]:
    """Each policy with the lowest other one, for each pair of prefix lengths, that it overlaps.

    Of those with the same selectors, the lowest one is not named for the others' sake. The time
    grows with the number of policies times the number of such pairs.
    """
    prefixes = {number: tuple(map(_prefix, selectors[number])) for number in sorted(selectors)}
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, sides in prefixes.items():
        shapes.setdefault(tuple(map(len, sides)), []).append(number)
    for ours, theirs in product(shapes, repeat=2):
        shorter = tuple(map(min, ours, theirs))
        lowest = {_cut(prefixes[number], shorter): number for number in reversed(shapes[theirs])}
        for number in shapes[ours]:
            other = lowest.get(_cut(prefixes[number], shorter), number)
            if other != number:
                yield number, other


def _prefix(net: IPv4Network | IPv6Network) -> str:
    """IP version and prefix in bits: where networks overlap, one's begins with the other's."""
    bits = f"{int(net.network_address):0{net.max_prefixlen}b}"
    return f"{net.version}{bits[: net.prefixlen]}"


def _cut(sides: tuple[str, ...], lengths: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(side[:length] for side, length in zip(sides, lengths, strict=True))
