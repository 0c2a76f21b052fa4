# SPDX-License-Identifier: GPL-2.0-or-later
"""Which link a message is looked for on."""

from __future__ import annotations

from lab.check import Evidence, Sent, judge
from lab.pairs import Place
from lab.proof import Echo, Flaw, write_pcap
from lab.report import CaptureFile

NOTHING = CaptureFile(write_pcap([]), (), 0, 0)
PLACES = {
    "192.0.2.1": Place("alice", "west"),
    "192.0.2.2": Place("bob", "west"),
}


def test_a_message_is_looked_for_on_its_links() -> None:
    captures = dict.fromkeys(("west", "east", "south"), NOTHING)
    sent = [Sent(Echo("192.0.2.1", "192.0.2.2", 1, 1, b"octets"), frozenset({"west", "east"}))]
    proofs = judge(Evidence(captures, [], sent, PLACES, ""))
    assert [proof.link for proof in proofs] == ["west", "east", "south"]
    missed = {p.link for p in proofs if [f.flaw for f in p.verdict.failures] == [Flaw.MISSING]}
    assert missed == {"west", "east"}
    assert {proof.link for proof in proofs if proof.verdict.ok} == {"south"}
