# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts, alice and bob."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.ike.daemons import ADDRESSES, Node, free_port
from tests.unit.ike.network import Network


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


@pytest.fixture
def network() -> Network:
    """Two hosts that have not spoken yet, fine weather."""
    return Network()


@pytest.fixture
def connected(network: Network) -> Network:
    """Two hosts with an IKE SA, begun by alice, and its first Child SA."""
    network.ping(network.alice)
    network.run_until(network.is_up)
    network.run(1)
    return network
