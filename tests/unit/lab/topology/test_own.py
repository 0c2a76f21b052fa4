# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs and files that a topology adds to its nodes."""

from __future__ import annotations

from lab.protocol import document
from lab.topology import Program, Topology, parse

WEB = """
title = "a web server"
[links.wire]
[nodes."web{n}"]
repeat = 2
addresses = { wire = "192.0.2.{n}/24" }
run = ["python3 -m http.server 8{n}", "/bin/sh -c 'echo \\"{n}\\"'", "/usr/bin/python3 x y"]
files = { "/run/www/index.html" = "{ {n} } of {m}\\n" }
"""
TOPOLOGY = parse("web", WEB)


def test_commands_are_split_into_words_and_named_by_their_program() -> None:
    assert TOPOLOGY.nodes["web2"].run == (
        Program("python3", ("python3", "-m", "http.server", "82")),
        Program("sh", ("/bin/sh", "-c", 'echo "2"')),
        Program("python3-2", ("/usr/bin/python3", "x", "y")),
    )


def test_of_braces_in_files_only_known_names_are_replaced() -> None:
    assert TOPOLOGY.nodes["web1"].files == {"/run/www/index.html": "{ 1 } of {m}\n"}


def test_a_lab_remembers_them() -> None:
    assert document.decode(Topology, document.encode(TOPOLOGY)) == TOPOLOGY
