# SPDX-License-Identifier: GPL-2.0-or-later
"""A running tkm_keymanager of each generation, and what is judged after each attack."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.process.attacker import Attacker, attacker
from tkm.rpc import rpc2


@pytest.fixture(scope="package", params=[1, 2], ids=["1", "2"])
def running(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Attacker]:
    """One process for all attacks: none of them may harm it."""
    with attacker(request.param, tmp_path_factory.mktemp("manager")) as made:
        yield made


@pytest.fixture
def on(running: Attacker) -> Iterator[Attacker]:
    """Nothing is there before; afterwards the promises are judged (``Attacker.judge``)."""
    running.client.call(rpc2.TkmReset())
    yield running
    running.judge()
