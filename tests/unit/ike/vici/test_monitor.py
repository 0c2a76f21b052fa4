# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients are told of what happens."""

from typing import Any, cast

from ike.vici.message import Section
from ike.vici.monitor import Monitor
from tests.unit.ike.vici.client import Client


def test_monitor(client: Client) -> None:
    monitor, network = Monitor(client.control.engine), client.network
    told: list[tuple[str, Section]] = []

    def run() -> list[str]:
        """Let time pass; the names of what is told, with a plus for what is up."""
        told.clear()
        network.alice.events.clear()
        network.run(5)
        for event in network.alice.events:
            told.extend(monitor.take(event, network.now))
        return [name + ("+" if "up" in section else "") for name, section in told]

    client.ask("initiate", child="net", timeout="-1")
    assert run() == ["ike-updown+", "child-updown+"]
    client.ask("rekey", child="net")
    assert run() == ["child-rekey"]
    rekeyed: Any = told[0][1]
    rekeyed = rekeyed["to-bob"]["child-sas"]["net-1"]
    assert (rekeyed["old"]["uniqueid"], rekeyed["new"]["uniqueid"]) == ("1", "2")
    client.ask("rekey", ike="to-bob")
    assert run() == ["ike-rekey"]
    assert cast(Any, told[0][1]["to-bob"])["new"]["uniqueid"] == "2"
    network.bob.engine.terminate("enough", network.now)
    assert run() == ["child-updown", "ike-updown"]
