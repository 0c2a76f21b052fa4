# SPDX-License-Identifier: GPL-2.0-or-later
"""Each way to end and to start the Key Manager: pings, and what the wire shows of them.

The rows are those of docs/fail-closed.md.
"""

from __future__ import annotations

import signal
import struct

from lab.build.backends.builtin import BUILTIN
from lab.build.backends.running import start
from lab.client.lab import Lab
from tests.e2e.conftest import Builder

ADDRESSES = {"alice": "192.168.0.1", "bob": "192.168.0.2"}
_ICMP = 1
(MANAGER,) = (daemon for daemon in BUILTIN.daemons if daemon.name == "tkm_keymanager")


def ping(lab: Lab, node: str, seconds: int) -> bool:
    """Whether a reply came from the other host."""
    (peer,) = (address for name, address in ADDRESSES.items() if name != node)
    command = ["ping", "-c", "1", "-i", "0.2", "-w", str(seconds), peer]
    return lab.call(node, command).code == 0


def plain_frames(lab: Lab) -> int:
    """How many ICMP packets were on the wire in plain text, since the lab came up."""
    found, at, octets = 0, 24, lab.capture().pcap
    while at < len(octets):
        (length,) = struct.unpack_from("<I", octets, at + 8)
        frame = octets[at + 16 : at + 16 + length]
        found += frame[12:14] == b"\x08\x00" and frame[14 + 9] == _ICMP
        at += 16 + length
    return found


def held_back(lab: Lab) -> None:
    """Neither host gets through to the other, and nothing of it is on the wire."""
    assert not ping(lab, "alice", 1)
    assert not ping(lab, "bob", 1)
    assert plain_frames(lab) == 0


def comes_back(lab: Lab) -> None:
    """With a Key Manager again, traffic is protected."""
    start(lab, "alice", MANAGER)
    assert ping(lab, "alice", 15)
    assert plain_frames(lab) == 0


def end_by(lab: Lab, number: signal.Signals) -> None:
    lab.signal("alice", MANAGER.name, number)
    lab.wait_for_exit("alice", MANAGER.name)


def fails_to_start(lab: Lab, **instead: str) -> None:
    argv = [{"-c": instead.get("config"), "-k": instead.get("key")}.get(flag) or word
            for flag, word in zip(("", *MANAGER.argv), MANAGER.argv, strict=False)]  # fmt: skip
    lab.spawn("alice", argv, MANAGER.name)
    lab.wait_for_exit("alice", MANAGER.name)


def test_only_an_explicit_flush_lets_anything_pass_in_plain_text(fresh: Builder) -> None:
    lab = fresh()
    assert ping(lab, "alice", 10)
    for number in (signal.SIGTERM, signal.SIGINT):
        end_by(lab, number)
        held_back(lab)
        comes_back(lab)

    end_by(lab, signal.SIGKILL)  # the states outlive it: what they carry is protected
    assert ping(lab, "alice", 2)
    assert plain_frames(lab) == 0
    comes_back(lab)

    end_by(lab, signal.SIGTERM)
    for broken in ({"config": "/dev/null"}, {"key": "/dev/null"}):
        fails_to_start(lab, **broken)
        held_back(lab)
    assert lab.call("alice", ["ip", "xfrm", "policy", "flush"]).code == 0
    fails_to_start(lab, key="/dev/null")  # from nothing: policies come before keys
    held_back(lab)
    comes_back(lab)

    end_by(lab, signal.SIGTERM)
    assert lab.call("alice", ["tkm_keymanager", "--flush"]).code == 0
    assert not ping(lab, "alice", 1)  # bob takes nothing that is plain, but the wire shows it
    assert plain_frames(lab) > 0
