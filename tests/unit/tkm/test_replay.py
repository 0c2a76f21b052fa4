# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorded runs once more, with live values: charon-tkm's own order of calls on both hosts.

What a TKM made in the recording (nonces, public values, signatures) is replaced by what ours make
now, wherever it comes up again: at the same host or at the other one, as if sent over the network.
A host waits with a request until its values exist.
"""

from collections import deque
from typing import Any

import pytest

from tests.unit.frames import cut
from tests.unit.tkm.charon import host1
from tests.unit.tkm.vectors import certificate, frames
from tests.unit.trusted import NAMES, pki
from tkm.generation1 import rpc1
from tkm.rpc.interface import FixedFrames

LIVE = ("nonce", "public_value", "signature")
"""Fields of replies that are new each time."""
NEEDED = ("nonce_rem", "public_value", "signature")
"""Fields of requests that came from the other side."""
INSIDE = ("nonce", "public_value")
"""What stands inside of an IKE_SA_INIT message, too."""
STATES = {
    "vici-full": {
        "startup": 0, "initiate": 2, "child-rekey-by-alice": 2, "child-rekey-by-bob": 2,
        "ike-rekey-by-alice": 2, "ike-rekey-by-bob": 2, "child-rekey-after-ike-rekey": 2,
        "terminate-child": 0, "terminate-ike": 0, "second-initiate-by-bob": 2, "shutdown": 0,
    },
    "vici-nopfs-reauth": {
        "startup": 0, "initiate": 2, "child-rekey-no-pfs-by-alice": 2,
        "child-rekey-no-pfs-by-bob": 2, "initiate-second-child-by-alice": 4,
        "reauth-by-alice": 4, "shutdown": 0,
    },
    "skip-first": {"startup": 0, "initiate-ts-mismatch": 0, "shutdown": 0},
}  # fmt: skip
"""Kernel states of each host at the end of each phase."""


def decoded(row: Any) -> Any:
    """A recorded request and its reply."""
    framing = FixedFrames()
    request = bytes.fromhex(row["request"]).ljust(2048, b"\0")
    response = bytes.fromhex(row["response"]).ljust(1024, b"\0")
    header, body = cut(framing, request)
    operation = rpc1.RPC1.operations[header.operation]
    _, reply = cut(framing, response, responses=True)
    return operation.decode(body, padded=True), operation.reply.decode(reply, padded=True)


class Replay:
    def __init__(self, run: str) -> None:
        self.hosts = {name: host1(name) for name in NAMES}
        self.rows = [row for row in frames() if row["run"] == run and row["interface"] == "ike"]
        # What was certified then is certified now, by another CA.
        self.live = {certificate(name): pki().certificates[name] for name in NAMES}
        self.live[certificate("ca")] = pki().ca.root.certificate.der
        self.inside: dict[bytes, bytes] = {}
        self.calls = 0

    def with_live_values(self, message: bytes) -> bytes:
        """A recorded IKE_SA_INIT message with the nonce and the public value given out now."""
        for recorded, live in self.inside.items():
            message = message.replace(recorded, live)
        return message

    def phases(self) -> list[str]:
        return list(dict.fromkeys(row["phase"] for row in self.rows))

    def play(self, phase: str) -> None:
        """Both hosts' requests of a phase, each as soon as it can be asked."""
        queues = {
            name: deque(
                decoded(row) for row in self.rows if (row["host"], row["phase"]) == (name, phase)
            )
            for name in NAMES
        }
        while any(queues.values()):
            asked = [name for name, queue in queues.items() if queue and self.ask(name, queue)]
            assert asked, "each host waits for the other"

    def ask(self, name: str, queue: deque[Any]) -> bool:
        request, recorded = queue[0]
        values = {field: self.live.get(value, value) for field, value in vars(request).items()}
        if any(values[field] is vars(request)[field] for field in values if field in NEEDED):
            return False
        if "init_message" in values:
            values["init_message"] = self.with_live_values(values["init_message"])
        queue.popleft()
        reply = self.hosts[name].client.client.call(type(request)(**values))
        for field, value in vars(recorded).items():
            if field in LIVE:
                self.live[value] = getattr(reply, field)
                if field in INSIDE:
                    self.inside[value] = getattr(reply, field)
        self.calls += 1
        return True


@pytest.mark.parametrize("run", STATES)
def test_recorded_orders_with_live_values(run: Any) -> None:
    replay = Replay(run)
    assert replay.phases() == list(STATES[run])
    alice, bob = replay.hosts.values()
    for phase, number in STATES[run].items():
        replay.play(phase)
        assert alice.kernel.states == bob.kernel.states, phase
        assert len(alice.kernel.states) == number, phase
    assert replay.calls == len(replay.rows)
    for host in (alice, bob):
        assert list(host.manager.contexts) == []
        host.manager.stop()
        assert not host.kernel.states
