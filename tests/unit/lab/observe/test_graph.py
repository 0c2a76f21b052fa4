# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of topologies: everything is in them, nothing stands on anything else."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest

from lab.observe.graph import FORMATS, graph_of
from lab.observe.graph.layout import Item, place
from lab.topology import load, parse, shipped

SVG = "{http://www.w3.org/2000/svg}"
NAMES = list(shipped())


def rectangles(svg: str) -> list[tuple[float, float, float, float]]:
    found = ElementTree.fromstring(svg).findall(f"{SVG}rect")[1:]
    return [tuple(float(r.get(key, "")) for key in ("x", "y", "width", "height")) for r in found]  # type: ignore[misc]


@pytest.mark.parametrize("language", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_every_host_link_address_and_policy_is_in_the_picture(name: str, language: str) -> None:
    topology = load(name)
    drawn = FORMATS[language](graph_of(topology))
    words = [topology.title, *topology.nodes, *topology.links]
    words += [str(i) for node in topology.nodes.values() for i in node.interfaces]
    words += [str(end.network) for p in topology.policies for end in p.ends if end.network]
    missing = [word for word in words if word not in drawn]
    assert missing == []


@pytest.mark.parametrize("name", NAMES)
def test_no_host_stands_on_another_or_outside(name: str) -> None:
    svg = FORMATS["svg"](graph_of(load(name)))
    size = ElementTree.fromstring(svg)
    boxes = rectangles(svg)
    assert len(boxes) == len(load(name).nodes)
    for (ax, ay, aw, ah), (bx, by, bw, bh) in combinations(boxes, 2):
        assert ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay
    assert all(x >= 0 and x + w <= float(size.get("width", "")) for x, _, w, _ in boxes)
    assert all(y >= 0 and y + h <= float(size.get("height", "")) for _, y, _, h in boxes)


def test_a_chain_goes_from_left_to_right() -> None:
    places = place(graph_of(load("net-to-net")))
    names = ["alice", "left", "moon", "wire", "sun", "right", "bob"]
    chain = [Item("link" if n % 2 else "host", name) for n, name in enumerate(names)]
    assert [places[item].column for item in chain] == list(range(7))
    assert {places[item].row for item in chain} == {0}


def test_a_hub_stands_alone_with_its_clients_below_each_other() -> None:
    places = place(graph_of(load("star", {"clients": 7})))
    assert places[Item("host", "hub")] == (0, 3)
    clients = [places[Item("host", f"client{n}")] for n in range(1, 8)]
    assert clients == [(2, row) for row in range(7)]


@pytest.mark.parametrize(
    ("language", "up", "down", "unknown"),
    [
        ("svg", "#15803d", "stroke-dasharray", "#64748b"),
        ("mermaid", ", up", "-.-", "#6b7280"),
        ("dot", ", up", "dashed", "#6b7280"),
    ],
)
def test_the_state_of_tunnels(language: str, up: str, down: str, unknown: str) -> None:
    topology, draw = load("two-hosts"), FORMATS[language]
    marks = (up, down, unknown)

    def shown(picture: str) -> list[str]:
        return [mark for mark in marks if mark in picture]

    assert shown(draw(graph_of(topology, {1: True}))) == [up]
    assert shown(draw(graph_of(topology, {1: False}))) == [down]
    assert shown(draw(graph_of(topology, {}))) == [down]
    assert shown(draw(graph_of(topology))) == [unknown]


@pytest.mark.parametrize("language", FORMATS)
def test_a_title_cannot_break_out(language: str) -> None:
    rest = '[links.w]\n[nodes.end]\naddresses = { w = "10.0.0.1/8" }'
    text = f'title = "a <b> & \\"c\\" \\\\ d"\n{rest}'
    drawn = FORMATS[language](graph_of(parse("x", text)))
    if language == "svg":
        assert 'a <b> & "c" \\ d' in [t.text for t in ElementTree.fromstring(drawn).iter()]
    else:
        (line,) = [line for line in drawn.splitlines() if "<b> &" in line]
        assert line.count('"') - line.count('\\"') == 2
