# SPDX-License-Identifier: GPL-2.0-or-later
"""SVG: hosts are boxes, links are bars, tunnels are arcs in the colour of their state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from lab.observe.graph.layout import Item, Place, place
from lab.observe.graph.model import Graph, Host, Tunnel, Wire

_PITCH = 170
"""Between the middles of a column of hosts and one of links."""
_BOX = 170
"""Width of a host."""
_LINE = 15
_MARGIN = 28
_COLORS = {True: "#15803d", False: "#d97706", None: "#64748b"}
_FILLS = {
    "host": "#f8fafc", "gateway": "#eff6ff", "router": "#f1f5f9", "NAT gateway": "#fefce8",
}  # fmt: skip
_STYLE = """\
text { font: 11px system-ui, "DejaVu Sans", sans-serif; fill: #475569 }
.title { font-size: 15px; fill: #0f172a }
.name { font-size: 14px; font-weight: 600; fill: #0f172a }
.middle { text-anchor: middle }
.box { stroke: #475569; stroke-width: 1.2 }
.gateway { stroke: #1d4ed8 }
.edge { stroke: #94a3b8; stroke-width: 1.5 }
.bar { stroke-width: 5; stroke-linecap: round }
.tunnel { fill: none; stroke-width: 3.5; stroke-linecap: round; opacity: .85 }
"""


class _Box(NamedTuple):
    """A host's rectangle: its middle, and half its height."""

    x: float
    y: float
    half: float


def draw(graph: Graph) -> str:
    """A picture with a size of its own, on white."""
    return "\n".join(_Drawing(graph).lines()) + "\n"


class _Drawing:
    """Measures, then draws from back to front."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._places = place(graph)
        tallest = max((_height(host) for host in graph.hosts), default=0)
        self._row = tallest + 34
        pairs = Counter(frozenset(tunnel.ends) for tunnel in graph.tunnels)
        arcs = 33 * max(pairs.values(), default=0)
        self._top = _MARGIN + 30 + arcs + tallest / 2
        columns = max((place.column for place in self._places.values()), default=0)
        rows = max((place.row for place in self._places.values()), default=0)
        self._width = 2 * _MARGIN + _BOX + columns * _PITCH
        self._height = self._top + rows * self._row + tallest / 2 + _MARGIN + 40
        self._flat = rows == 0
        self._boxes = {host.name: self._box(host) for host in graph.hosts}

    def lines(self) -> Iterator[str]:
        size = f'width="{self._width:.0f}" height="{self._height:.0f}"'
        view = f'viewBox="0 0 {self._width:.0f} {self._height:.0f}"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view}>'
        yield f"<style>\n{_STYLE}</style>"
        yield '<rect width="100%" height="100%" rx="8" fill="#fff"/>'
        yield _text(_MARGIN, _MARGIN + 4, self._graph.title, "title")
        for wire in self._graph.wires:
            yield from self._wire(wire)
        seen: Counter[frozenset[str]] = Counter()
        for tunnel in self._graph.tunnels:
            pair = frozenset(tunnel.ends)
            yield from self._tunnel(tunnel, seen[pair])
            seen[pair] += 1
        for host in self._graph.hosts:
            yield from self._host(host)
        yield from self._legend()
        yield "</svg>"

    def _at(self, place: Place) -> tuple[float, float]:
        return _MARGIN + _BOX / 2 + place.column * _PITCH, self._top + place.row * self._row

    def _box(self, host: Host) -> _Box:
        x, y = self._at(self._places[Item("host", host.name)])
        return _Box(x, y, _height(host) / 2)

    def _host(self, host: Host) -> Iterator[str]:
        x, y, half = self._boxes[host.name]
        box = f'x="{x - _BOX / 2}" y="{y - half}" width="{_BOX}" height="{2 * half}" rx="7"'
        kind = "box gateway" if host.role == "gateway" else "box"
        yield f'<rect {box} fill="{_FILLS[host.role]}" class="{kind}"/>'
        yield _text(x, y - half + 19, host.name, "name middle")
        for number, line in enumerate(_about(host), 1):
            yield _text(x, y - half + 19 + number * _LINE, line, "middle")

    def _wire(self, wire: Wire) -> Iterator[str]:
        """A bar that reaches as far as its hosts, and a line to each."""
        x, y = self._at(self._places[Item("link", wire.name)])
        boxes = [self._boxes[h.name] for h in self._graph.hosts if wire.name in h.addresses]
        heights = [box.y for box in boxes] or [y]
        for box in boxes:
            yield f'<path d="M{box.x} {box.y} H{x}" class="edge"/>'
        color = "#dc2626" if wire.red else "#334155"
        ends = f"M{x} {min(heights) - 18} V{max(heights) + 18}"
        yield f'<path d="{ends}" stroke="{color}" class="bar"/>'
        yield _text(x, max(heights) + 38, wire.name, "name middle")
        yield _text(x, max(heights) + 38 + _LINE, wire.networks, "middle")

    def _tunnel(self, tunnel: Tunnel, before: int) -> Iterator[str]:
        """An arc; `before` says how many others there are between the same hosts."""
        left, right = sorted((self._boxes[end] for end in tunnel.ends), key=lambda box: box.x)
        if self._flat or (left.y == right.y and right.x - left.x > 2 * _PITCH):
            path, label = _over(left, right, before)
        elif left.x == right.x:
            path, label = _around(left, right, before)
        else:
            path, label = _across(left, right, before)
        dashed = ' stroke-dasharray="7 8"' if tunnel.up is False else ""
        color = _COLORS[tunnel.up]
        yield f'<path d="{path}" stroke="{color}"{dashed} class="tunnel"/>'
        yield label.format(text=escape(f"ESP {tunnel.number} · {tunnel.what}"), color=color)

    def _legend(self) -> Iterator[str]:
        states = {tunnel.up for tunnel in self._graph.tunnels}
        words = {True: "ESP, SAs are up", False: "ESP, no SAs yet", None: "ESP"}
        marks = [(_COLORS[state], words[state]) for state in words if state in states]
        if any(wire.red for wire in self._graph.wires):
            marks.append(("#dc2626", "plain text is normal"))
        x, y = float(_MARGIN), self._height - 16
        for color, text in marks:
            yield f'<path d="M{x} {y - 4} h20" stroke="{color}" class="bar"/>'
            yield _text(x + 28, y, text, "")
            x += 48 + 6.5 * len(text)


def _about(host: Host) -> list[str]:
    words = [host.role, host.ike] if host.ike != "none" else [host.role]
    addresses = (f"{link} {each}" for link, found in host.addresses.items() for each in found)
    return [" · ".join(words), *addresses]


def _height(host: Host) -> float:
    return 30 + _LINE * len(_about(host))


def _over(left: _Box, right: _Box, before: int) -> tuple[str, str]:
    top = min(left.y - left.half, right.y - right.half)
    start, end = left.x + 30 - 30 * before, right.x - 30 + 30 * before
    lift = top - 40 - 44 * before
    feet = left.y - left.half, right.y - right.half
    path = f"M{start} {feet[0]} C{start} {lift} {end} {lift} {end} {feet[1]}"
    return path, _label((start + end) / 2, top - 36 - 33 * before, "middle")


def _across(left: _Box, right: _Box, before: int) -> tuple[str, str]:
    start, end = left.x + _BOX / 2, right.x - _BOX / 2
    middle, shift = (start + end) / 2, 12 + 9 * before
    ends = f"{left.y - shift * (left.y > right.y) + shift * (left.y < right.y)}"
    path = f"M{start} {ends} C{middle} {ends} {middle} {right.y - shift} {end} {right.y - shift}"
    return path, _label(right.x - _BOX / 2 + 4, right.y - right.half - 6 - 13 * before, "start")


def _around(one: _Box, other: _Box, before: int) -> tuple[str, str]:
    x = one.x + _BOX / 2
    bend = x + 40 + 16 * before
    path = f"M{x} {one.y} C{bend} {one.y} {bend} {other.y} {x} {other.y}"
    return path, _label(x + 8, (one.y + other.y) / 2, "start")


def _label(x: float, y: float, anchor: str) -> str:
    style = f'style="text-anchor:{anchor};fill:{{color}}"'
    return f'<text x="{x}" y="{y}" {style}>{{text}}</text>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'
