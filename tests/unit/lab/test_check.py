# SPDX-License-Identifier: GPL-2.0-or-later
"""Which link a message is looked for on."""

from __future__ import annotations

import pytest

from lab.check import Evidence, Place, judge
from lab.proof import Echo, Flaw, write_pcap
from lab.report import CaptureFile

NOTHING = CaptureFile(write_pcap([]), (), 0, 0)
PLACES = {
    "192.0.2.1": Place("alice", "west"),
    "192.0.2.2": Place("bob", "west"),
    "198.51.100.3": Place("carol", "east"),
}


@pytest.mark.parametrize(
    ("dst", "links"), [("192.0.2.2", {"west"}), ("198.51.100.3", {"west", "east"})]
)
def test_a_message_is_looked_for_where_its_ends_are(dst: str, links: set[str]) -> None:
    captures = dict.fromkeys(("west", "east", "south"), NOTHING)
    sent = [Echo("192.0.2.1", dst, 1, 1, b"octets")]
    proofs = judge(Evidence(captures, [], sent, PLACES, ""))
    assert [proof.link for proof in proofs] == ["west", "east", "south"]
    missed = {p.link for p in proofs if [f.flaw for f in p.verdict.failures] == [Flaw.MISSING]}
    assert missed == links
    assert {proof.link for proof in proofs if proof.verdict.ok} == captures.keys() - links
