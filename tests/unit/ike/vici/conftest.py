# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of alice."""

from collections.abc import Iterator

import pytest

from ike.daemon.service import Service
from tests.unit.ike.network import Network
from tests.unit.ike.vici.client import Client


@pytest.fixture
def client() -> Iterator[Client]:
    network = Network()
    with Service(network.alice.engine, ()) as service:
        yield Client(network, service)


@pytest.fixture
def connected(client: Client) -> Client:
    client.begin("initiate", child="net")
    assert client.wait() == {"success": "yes"}
    return client
