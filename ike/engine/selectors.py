# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic selectors: what we want, and what both sides want (RFC 7296, 2.9)."""

from collections.abc import Sequence

from ike import address
from ike.address import Network
from ike.message.errors import TsUnacceptable
from ike.message.numbers import TsType
from ike.message.substructures import TrafficSelector

Selectors = tuple[TrafficSelector, ...]

_ANY_PROTOCOL, _LAST_PORT = 0, 65535


def configured(networks: Sequence[Network] | None, host: str) -> Selectors:
    """The selectors of a configuration; those of ``host`` if it names no networks."""
    if networks is None:
        octets = address.pack(host)
        networks = (Network(octets, octets),)
    return tuple(_whole(network) for network in networks)


def _whole(network: Network) -> TrafficSelector:
    kind = TsType.IPV4_ADDR_RANGE if len(network.first) == 4 else TsType.IPV6_ADDR_RANGE
    return TrafficSelector(kind, _ANY_PROTOCOL, 0, _LAST_PORT, network.first, network.last)


def readdressed(selectors: Selectors, host: str) -> Selectors:
    """The selectors with ``host`` in the place of each single address of its family."""
    octets = address.pack(host)
    return tuple(
        TrafficSelector(s.kind, s.protocol, s.first_port, s.last_port, octets, octets)
        if s.first == s.last and len(s.first) == len(octets)
        else s
        for s in selectors
    )


def narrow(ours: Selectors, theirs: Selectors) -> Selectors:
    """What is in both, in the peer's order.

    Raises:
        TsUnacceptable: Nothing is.
    """
    common = dict.fromkeys(
        both for their in theirs for our in ours if (both := _intersection(our, their))
    )
    if not common:
        raise TsUnacceptable("no traffic selectors in common")
    return tuple(common)


def is_within(inner: Selectors, outer: Selectors) -> bool:
    """Each of ``inner`` is within one of ``outer``, and there is one."""
    return bool(inner) and all(any(_intersection(i, o) == i for o in outer) for i in inner)


def breadth(selectors: Selectors) -> int:
    """How many bits of the address are open in the widest of them: few if it is specific."""
    return max(
        (int.from_bytes(s.last, "big") - int.from_bytes(s.first, "big")).bit_length()
        for s in selectors
    )


def _intersection(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
    if one.kind != other.kind:
        return None
    if one.protocol not in (other.protocol, _ANY_PROTOCOL) and other.protocol != _ANY_PROTOCOL:
        return None
    first, last = max(one.first, other.first), min(one.last, other.last)
    first_port = max(one.first_port, other.first_port)
    last_port = min(one.last_port, other.last_port)
    if first > last or first_port > last_port:
        return None
    protocol = one.protocol or other.protocol
    return TrafficSelector(one.kind, protocol, first_port, last_port, first, last)


def spell(selectors: Selectors) -> str:
    """Selectors as charon's log writes them: ``192.168.0.1/32``."""
    return " ".join(map(_spell_one, selectors))


def _spell_one(selector: TrafficSelector) -> str:
    span = int.from_bytes(selector.last, "big") - int.from_bytes(selector.first, "big")
    first = address.unpack(selector.first)
    if span & (span + 1):
        text = f"{first}..{address.unpack(selector.last)}"
    else:
        text = f"{first}/{8 * len(selector.first) - span.bit_length()}"
    if selector.protocol or (selector.first_port, selector.last_port) != (0, _LAST_PORT):
        text += f"[{selector.protocol}/{selector.first_port}-{selector.last_port}]"
    return text
