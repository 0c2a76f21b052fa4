# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is killed, and when: drawn from a seed, so that a case can be played again."""

from __future__ import annotations

import random
from typing import Any, NamedTuple, Self

FRONT_END, KEEPER, KERNEL, PART = "front end", "keeper", "kernel", "part"
VICTIMS = (FRONT_END, KEEPER, KERNEL, PART)
"""KERNEL is the agent as PID 1 of the lab's namespace, or the guest; PART is any process in it: a
node's init, a daemon, a process of the guest.
"""
FAILING = "fails.toml"
"""A scenario that fails: its run leaves a directory."""
_TOPOLOGIES = (("two-hosts",), ("net-to-net",), ("mixed",))
_SCENARIOS = (("host2host-initiator",), (FAILING,), ("-j", "2", "host2host-initiator", FAILING))
COMMANDS = {"up": _TOPOLOGIES, "run": _SCENARIOS, "down": _TOPOLOGIES}
"""What is done, and to what."""
_TURNS = ("down", "up", "run", "up", "run")
"""First the one before which an `up` must work."""


class Case(NamedTuple):
    """One blow."""

    number: int
    command: str
    what: tuple[str, ...]
    """The topology, or what `run` is given."""
    uid: int
    moment: float
    """At which part of the command's length, 0 to 1."""
    victims: tuple[str, ...]
    """The first of these that lives is killed."""
    luck: float
    """Which, if there are several, 0 to 1."""

    @classmethod
    def from_list(cls, fields: list[Any]) -> Self:
        """A case that was JSON."""
        whole: list[Any] = [tuple(one) if isinstance(one, list) else one for one in fields]
        return cls(*whole)


def draw(seed: int, number: int, uids: tuple[int, ...]) -> Case:
    """The case of that number; commands and users take turns, all else is chance."""
    chance = random.Random(f"{seed}/{number}")
    command = _TURNS[number % len(_TURNS)]
    return Case(
        number=number,
        command=command,
        what=chance.choice(COMMANDS[command]),
        uid=uids[number % len(uids)],
        moment=chance.random(),
        victims=tuple(chance.sample(VICTIMS, len(VICTIMS))),
        luck=chance.random(),
    )
