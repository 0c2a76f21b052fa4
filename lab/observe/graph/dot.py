# SPDX-License-Identifier: GPL-2.0-or-later
"""Graphviz's language: `tkm-lab graph --format dot | dot -Tpdf -o lab.pdf`."""

from __future__ import annotations

from collections.abc import Iterator

from lab.observe.graph.model import Graph

_COLORS = {True: "#15803d", False: "#d97706", None: "#6b7280"}
_STYLES = {True: "bold", False: "dashed", None: "bold"}
_STATES = {True: ", up", False: ", down", None: ""}


def draw(graph: Graph) -> str:
    """An undirected graph: hosts are boxes, links are ovals; tunnels do not pull at the layout."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield "graph {"
    yield f"  label={_quoted(graph.title)}; labelloc=t; rankdir=LR; fontname=sans"
    yield "  node [fontname=sans, fontsize=11]; edge [fontname=sans, fontsize=9]"
    for wire in graph.wires:
        color = "#b91c1c" if wire.red else "#334155"
        label = _quoted(wire.name, wire.networks)
        yield f'  {_quoted("link " + wire.name)} [label={label}, shape=oval, color="{color}"]'
    for host in graph.hosts:
        about = host.role if host.ike == "none" else f"{host.role}, {host.ike}"
        yield f"  {_quoted(host.name)} [label={_quoted(host.name, about)}, shape=box]"
        for link, addresses in host.addresses.items():
            other = _quoted("link " + link)
            yield f"  {_quoted(host.name)} -- {other} [label={_quoted(*addresses)}]"
    for tunnel in graph.tunnels:
        first, second = map(_quoted, tunnel.ends)
        label = _quoted(f"ESP {tunnel.number}: {tunnel.what}{_STATES[tunnel.up]}")
        color, style = _COLORS[tunnel.up], _STYLES[tunnel.up]
        look = f'color="{color}", style={style}, constraint=false'
        yield f"  {first} -- {second} [label={label}, {look}]"
    yield "}"


def _quoted(*lines: str) -> str:
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
