# SPDX-License-Identifier: GPL-2.0-or-later
"""Labs for tests: real kernels, real daemons. Each worker of pytest-xdist builds its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from lab import topology
from lab.build import builder
from lab.client.lab import Lab

Builder = Callable[..., Lab]


def _name(worker: str, number: int) -> str:
    return f"test-{os.getpid()}-{worker}-{number}"


@pytest.fixture(scope="session")
def two_hosts(worker_id: str) -> Iterator[Lab]:
    """alice and bob, shared: a test leaves them as it found them."""
    with builder.up(topology.load("two-hosts"), _name(worker_id, 0)) as lab:
        yield lab


@pytest.fixture
def fresh(worker_id: str) -> Iterator[Builder]:
    """Builds labs for this test alone; arguments are those of :func:`lab.build.builder.up`."""
    with ExitStack() as labs:
        built: list[Lab] = []

        def up(plan: topology.Topology | None = None, **options: object) -> Lab:
            plan = plan or topology.load("two-hosts")
            lab = builder.up(plan, _name(worker_id, 1 + len(built)), **options)  # type: ignore[arg-type]
            built.append(labs.enter_context(lab))
            return lab

        yield up
