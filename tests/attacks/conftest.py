# SPDX-License-Identifier: GPL-2.0-or-later
"""Labs for attacks, which are those of the end-to-end tests, and network namespaces."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.processes import NAMESPACE
from tests.attacks.namespace import Namespace
from tests.e2e.conftest import fresh

__all__ = ["fresh"]


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A network namespace in which no Key Manager serves."""
    program = "import sys; print('ready', flush=True); sys.stdin.read()"
    argv = [*NAMESPACE, sys.executable, "-c", program]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"ready\n"
        yield Namespace(holder.pid)
