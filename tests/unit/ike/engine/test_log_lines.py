# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of charon's that the TKM tests of strongSwan look for, word for word in our log, too."""

import re

import pytest

from tests.unit.ike.network import Network


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ike")


def test_acquire(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    network.ping(network.alice)
    assert caplog.messages[0] == "ees: acquire received for reqid 1"


@pytest.mark.parametrize(("hard", "job"), [(False, "rekey"), (True, "delete")])
def test_expire(connected: Network, caplog: pytest.LogCaptureFixture, hard: bool, job: str) -> None:
    (child,) = connected.alice.engine.context.children.values()
    caplog.clear()
    connected.alice.engine.expire(1, child.spi_remote, hard=hard, now=connected.now)
    number = int.from_bytes(child.spi_remote, "big")
    assert caplog.messages[:2] == [
        f"ees: expire received for reqid 1, spi {number:x}, dst 192.168.0.2",
        f"creating {job} job for CHILD_SA ESP/0x{number:08x}/192.168.0.2",
    ]


def test_delete(connected: Network, caplog: pytest.LogCaptureFixture) -> None:
    (child,) = connected.alice.engine.context.children.values()
    caplog.clear()
    connected.alice.engine.delete_child_sa(child.spi_local, "test", connected.now)
    connected.run(1)
    lines = [line for line in caplog.messages if line.startswith("deleting child SA")]
    assert f"deleting child SA (esa: 1, spi: {child.spi_local.hex()})" in lines
    assert all(re.fullmatch(r"deleting child SA \(esa: 1, spi:.*\)", line) for line in lines)
