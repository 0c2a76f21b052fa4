# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology of the docs with programs and files of its own."""

from __future__ import annotations

from lab.topology import load
from tests.e2e.command import TREE
from tests.e2e.conftest import Builder

_FETCH = "import urllib.request as r; print(r.urlopen('http://web/', timeout=20).read().decode())"


def test_a_web_server_in_a_node_is_reached_through_esp(fresh: Builder) -> None:
    lab = fresh(load(str(TREE / "docs/examples/topologies/web-server.toml")))
    lab.wait_for_line("web", "greet", "hello from the web server on web")
    lab.wait_for_line("web", "python3", "Serving HTTP")
    done = lab.call("alice", ["python3", "-c", _FETCH])
    assert done.stdout.decode().strip() == "a page that ESP has carried", done.stderr.decode()
    assert lab.states("alice").states
