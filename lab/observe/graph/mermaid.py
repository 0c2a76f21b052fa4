# SPDX-License-Identifier: GPL-2.0-or-later
"""Mermaid, which forges and wikis draw inside of Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from lab.observe.graph.model import Graph, Tunnel

_COLORS = {True: "#15803d", False: "#d97706", None: "#6b7280"}


def draw(graph: Graph) -> str:
    """A flow chart: hosts are boxes, links are rounded, tunnels are thick, dotted when down."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield from ("---", f"title: {_quoted(graph.title)}", "---", "flowchart LR")
    for wire in graph.wires:
        label = _quoted(f"{wire.name}<br/>{wire.networks}")
        yield f"  link_{_id(wire.name)}([{label}])"
    edges = 0
    for host in graph.hosts:
        about = host.role if host.ike == "none" else f"{host.role}, {host.ike}"
        label = _quoted(f"<b>{host.name}</b><br/>{about}")
        yield f"  {_id(host.name)}[{label}]"
        for link, addresses in host.addresses.items():
            label = _quoted("<br/>".join(addresses))
            yield f"  {_id(host.name)} ---|{label}| link_{_id(link)}"
            edges += 1
    for number, tunnel in enumerate(graph.tunnels, edges):
        first, second = map(_id, tunnel.ends)
        arrow = "-.-" if tunnel.up is False else "==="
        yield f"  {first} {arrow}|{_quoted(_label(tunnel))}| {second}"
        yield f"  linkStyle {number} stroke:{_COLORS[tunnel.up]}"
    if red := [f"link_{_id(wire.name)}" for wire in graph.wires if wire.red]:
        yield f"  style {','.join(red)} stroke:#b91c1c"


def _label(tunnel: Tunnel) -> str:
    state = {True: ", up", False: ", down", None: ""}[tunnel.up]
    return f"ESP {tunnel.number}: {tunnel.what}{state}"


def _id(name: str) -> str:
    """A name that is not a word of Mermaid's, such as `end`."""
    return f"n_{name.replace('-', '_')}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "#quot;") + '"'
