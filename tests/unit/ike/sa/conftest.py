# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures."""

import pytest

from tests.unit.ike.network import Network


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
