# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things stand: hosts and links in columns by turns, beginning with the hub or with an end.

Columns are steps from the first host on; rows are those of a tree: who has nothing behind it gets
a row of its own, others stand in the middle of what is behind them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lab.observe.graph.model import Graph


class Item(NamedTuple):
    """A host or a link, by its name."""

    kind: str
    name: str


class Place(NamedTuple):
    """Column and row; rows may lie between two."""

    column: int
    row: float


Neighbours = Mapping[Item, list[Item]]


def place(graph: Graph) -> dict[Item, Place]:
    """The place of every host and link. Parts that nothing connects stand below each other."""
    neighbours = _neighbours(graph)
    places: dict[Item, Place] = {}
    rows = 0
    for item in neighbours:
        if item not in places:
            part = _distances(neighbours, item)
            root = _root(graph, neighbours, part)
            rows = _place_part(neighbours, root, rows, places)
    return places


def _neighbours(graph: Graph) -> Neighbours:
    found: dict[Item, list[Item]] = {Item("host", host.name): [] for host in graph.hosts}
    found |= {Item("link", wire.name): [] for wire in graph.wires}
    for host in graph.hosts:
        for link in host.addresses:
            found[Item("host", host.name)].append(Item("link", link))
            found[Item("link", link)].append(Item("host", host.name))
    return found


def _distances(neighbours: Neighbours, start: Item) -> dict[Item, int]:
    """Steps to everything that is connected, nearest first."""
    distances = {start: 0}
    waiting = [start]
    for item in waiting:
        for other in neighbours[item]:
            if other not in distances:
                distances[other] = distances[item] + 1
                waiting.append(other)
    return distances


def _root(graph: Graph, neighbours: Neighbours, part: Iterable[Item]) -> Item:
    """The hub, which has more tunnels than all others; else one of the two hosts furthest apart."""
    hosts = [item for item in part if item.kind == "host"]
    if not hosts:
        return next(iter(part))
    tunnels = Counter(end for tunnel in graph.tunnels for end in set(tunnel.ends))
    (first, *others) = sorted(hosts, key=lambda host: -tunnels[host.name])
    if others and tunnels[first.name] > tunnels[others[0].name]:
        return first
    return max(hosts, key=lambda host: max(_distances(neighbours, host).values()))


def _place_part(
    neighbours: Neighbours, root: Item, first_row: int, places: dict[Item, Place]
) -> int:
    """Place what is connected with the root, from a row on; return the next free row."""
    columns = _distances(neighbours, root)
    children: dict[Item, list[Item]] = {item: [] for item in columns}
    parents = {root: root}
    for item in columns:
        for other in neighbours[item]:
            if other not in parents:
                parents[other] = item
                children[item].append(other)
    next_row = first_row
    for item in _from_the_leaves(children, root):
        inside = [places[child].row for child in children[item]]
        row = (inside[0] + inside[-1]) / 2 if inside else next_row
        next_row += 0 if inside else 1
        places[item] = Place(columns[item], row)
    return next_row


def _from_the_leaves(children: Mapping[Item, list[Item]], item: Item) -> list[Item]:
    """The tree below an item, everything behind what is below it."""
    return [
        *(inner for child in children[item] for inner in _from_the_leaves(children, child)),
        item,
    ]
