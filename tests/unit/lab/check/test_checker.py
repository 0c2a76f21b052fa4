# SPDX-License-Identifier: GPL-2.0-or-later
"""Which link a message is looked for on, and what the verdicts of all links say together."""

from __future__ import annotations

import pytest

from lab.check.checker import Evidence, Proof, Sent, judge, whole
from lab.check.pairs import Place
from lab.check.proof import Echo, EspPacket, Failure, Flaw, Verdict, write_pcap
from lab.cli import show
from lab.client.status import CaptureFile

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


def proof(link: str, *, ok: bool = True, esp: bool = True, lost: str = "") -> Proof:
    packet = EspPacket((1,), 0.0, "alice", "192.0.2.1", "192.0.2.2", 1, 1, 100, False)
    failures = () if ok else (Failure(Flaw.PLAINTEXT, "frame 2: plain text"),)
    return Proof(link, Verdict(2, (packet,) if esp else (), (), {}, failures), PLACES, lost)


@pytest.mark.parametrize("refused", [(), ("west",), ("east",), ("west", "south")])
def test_the_last_line_speaks_for_all_links(
    refused: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    proofs = [
        proof(link, ok=link not in refused, esp=link != "south")
        for link in ("west", "east", "south")
    ]
    together = whole(proofs)
    assert (together.ok, together.refused) == (not refused, refused)
    show.proofs("lab", proofs, together)
    last = capsys.readouterr().out.splitlines()[-1]
    if refused:
        assert last == f"refused: {len(refused)} of 3 links: {', '.join(refused)}"
    else:
        assert last == "proven: no link of 3 refuses, ESP on west, east"


@pytest.mark.parametrize("links", [["west"], ["west", "east"]])
def test_no_proof_hides_that_frames_were_lost(
    links: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    proofs = [proof(link, lost="7 frames") for link in links]
    assert whole(proofs).lost == "7 frames"
    show.proofs("lab", proofs, whole(proofs))
    lines = [line for line in capsys.readouterr().out.splitlines() if "proven" in line]
    assert len(lines) == len(links) + (len(links) > 1)
    assert all("this check" in line for line in lines)
