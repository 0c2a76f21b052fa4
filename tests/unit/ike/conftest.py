# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts, alice and bob."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.ike.daemons import ADDRESSES, Node, free_port


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    ports = free_port(), free_port()
    made = [Node(name, tmp_path / name, ports) for name in ADDRESSES]
    yield made
    for node in made:
        node.tkm.close()


@pytest.fixture
def daemons(nodes: list[Node]) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [node.start() for node in nodes]
    yield processes
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
