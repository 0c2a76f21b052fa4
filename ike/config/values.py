# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of ``swanctl.conf``: each function reads one kind, or raises ValueError."""

import re
from collections.abc import Callable
from typing import TypeVar

from ike import address
from ike.address import Network
from ike.identity import Identity

T = TypeVar("T")

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_ITEMS = 255
"""Of traffic selectors, or proposals: one octet counts them (RFC 7296, 3.13 and 3.3.1)."""
_HIGHEST = 0xFFFFFFFF
"""Of numbers that the TKM's configuration gives: policies, which are reqids, local identities."""
TRUE, FALSE = ("yes", "true", "enabled", "1"), ("no", "false", "disabled", "0")
DYNAMIC: tuple[Network, ...] = ()
"""Traffic selectors that follow the addresses of the IKE SA."""


def words(text: str) -> tuple[str, ...]:
    """A list that is separated by commas."""
    found = tuple(word.strip() for word in text.split(","))
    if not all(found):
        raise ValueError("empty")
    return found


def one_of(*values: str) -> Callable[[str], str]:
    """What reads a word that has to be one of these."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"{text!r} is not supported, only {', '.join(values)}")
        return text

    return read


def action(text: str) -> str:
    """What is left of an action where the TKM's policies are traps, always."""
    return "trap" if one_of("none", "clear", "trap")(text) == "trap" else "none"


def is_yes(text: str) -> bool:
    """A switch, in any of strongSwan's spellings."""
    return one_of(*TRUE, *FALSE)(text.lower()) in TRUE


def few(items: tuple[T, ...]) -> tuple[T, ...]:
    """The same, unless they are more than a message has room for."""
    if len(items) > _MOST_ITEMS:
        raise ValueError(f"{len(items)} are too many, {_MOST_ITEMS} are possible")
    return items


def identity(text: str) -> Identity:
    """Who somebody is."""
    return Identity.parse(text)


def addresses(text: str) -> tuple[str, ...]:
    """Addresses of hosts."""
    if "%" in text:
        raise ValueError(f"{text}: not an address without a zone (%)")
    return tuple(address.unpack(address.pack(word)) for word in words(text))


def networks(text: str) -> tuple[Network, ...]:
    """Traffic selectors."""
    if "%" in text:
        raise ValueError(f"{text}: not an address without a zone (%)")
    return DYNAMIC if text == "dynamic" else few(tuple(map(Network.parse, words(text))))


def number(text: str) -> int:
    """A number of the TKM's configuration."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _HIGHEST:
        raise ValueError(f"{text!r} is not 1 to {_HIGHEST}")
    return int(text)


def count(text: str) -> int:
    """How many octets or packets."""
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{text!r} is not a number")
    return int(text)


def seconds(text: str) -> float:
    """A time."""
    match = re.fullmatch(r"(\d+)\s*([smhd]?)", text, re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not a time, such as 7200s or 2h")
    return float(match[1]) * _UNITS[match[2]]
