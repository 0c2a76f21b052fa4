# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology as a picture: what is to be drawn (`model`), where (`layout`), and in which language
(`svg`, `mermaid`, `dot`). Texts, made by hand; no library is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.observe.graph import dot, mermaid, svg
from lab.observe.graph.model import Graph, graph_of

__all__ = ["FORMATS", "Graph", "graph_of"]

FORMATS: Mapping[str, Callable[[Graph], str]] = {
    "svg": svg.draw,
    "mermaid": mermaid.draw,
    "dot": dot.draw,
}
"""By the name of the language."""
