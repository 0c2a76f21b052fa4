# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof of a lab: what its hosts say to each other goes through ESP, and nothing else is heard.

For every policy in the kernels a few echo requests with octets of our own are sent (`gather`). Then
`lab.proof` judges what was on each link since the lab came up: these messages were carried by ESP,
every other ESP packet is what it claims to be, too, and nothing was in plain text (`judge`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from lab.errors import LabError
from lab.proof import Echo, Flaw, Mode, Sa, read_pcap

if TYPE_CHECKING:
    from lab.client import Lab
    from lab.ipxfrm import State
    from lab.proof import Frame, Verdict
    from lab.report import CaptureFile, DaemonStatus, Status

_COUNT = 3
_PAYLOAD = 15
"""Octets of an echo message. ping puts a time stamp into longer ones."""
_DEADLINE = 10
"""Seconds until traffic must flow."""
_DEADLINE_WITHOUT_DAEMONS = 2
_SOME = 500
"""Frames between two reports of progress."""

Report = Callable[[str], None]
"""Is told what is being done."""


class Pair(NamedTuple):
    """Two nodes that are to talk ESP, with their addresses; `source` begins."""

    source: str
    destination: str
    src: str
    dst: str


class Place(NamedTuple):
    """Where an address is."""

    node: str
    link: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a proof needs."""

    captures: Mapping[str, CaptureFile]
    """By link."""
    associations: Sequence[Sa]
    sent: Sequence[Echo]
    places: Mapping[str, Place]
    """By address."""
    lost: str
    """What the lab has forgotten, in words; if anything, the captures begin with the check."""


class Proof(NamedTuple):
    """What a link's capture proves."""

    link: str
    verdict: Verdict
    places: Mapping[str, Place]
    """By address."""
    lost: str
    """As in `Evidence`."""


def check(lab: Lab, report: Report = lambda _: None) -> list[Proof]:
    """Send, capture, verify; a proof for each link.

    Raises LabError: there is nothing to check, or nothing comes through, and why.
    """
    return judge(gather(lab, report), report)


def protected_pairs(lab: Lab) -> list[Pair]:
    """Who must talk ESP with whom, as the hosts' own SPDs say; each pair once."""
    status = lab.status()
    places = _places(status)
    pairs: dict[frozenset[str], Pair] = {}
    for node in status.nodes:
        for policy in lab.states(node.name).policies:
            src, dst = policy.src.partition("/")[0], policy.dst.partition("/")[0]
            if policy.direction == "out" and dst in places and _owns(places, node.name, src):
                pair = Pair(node.name, places[dst].node, src, dst)
                pairs.setdefault(frozenset((src, dst)), pair)
    return list(pairs.values())


def _places(status: Status) -> dict[str, Place]:
    return {
        address.partition("/")[0]: Place(node.name, interface.link)
        for node in status.nodes
        for interface in node.interfaces
        for address in interface.addresses
    }


def _owns(places: Mapping[str, Place], node: str, address: str) -> bool:
    return address in places and places[address].node == node


def gather(lab: Lab, report: Report = lambda _: None) -> Evidence:
    """Send messages between all protected pairs, and collect what proves how they went.

    Raises LabError: there is nothing to check, or nothing comes through, and why.
    """
    report("waiting for traffic")
    pairs = protected_pairs(lab)
    if not pairs:
        raise LabError("no host has a policy: there is nothing that ESP must protect")
    status = lab.status()
    for pair in pairs:
        _wait_for_traffic(lab, pair, status)
    report("sending")
    sent = [echo for pair in pairs for echo in _send(lab, pair)]
    report("fetching what the wire has seen")
    forgotten = lab.status().forgotten
    lost = " and ".join(f"{count} {what}" for what, count in forgotten.items() if count)
    since = status.frames if lost else 0
    captures = {link: lab.capture(link, since) for link in status.links}
    if missing := max(capture.lost for capture in captures.values()):
        raise LabError(f"the capture has lost {missing} frames of the check and proves nothing")
    # After the captures: by now the SA of every packet in them is known.
    sas = [sa for node in status.nodes for sa in _associations(lab, node.name)]
    return Evidence(captures, sas, sent, _places(status), lost)


def _wait_for_traffic(lab: Lab, pair: Pair, status: Status) -> None:
    """Until one request is answered: the first one brings the SAs up, and is lost on the way."""
    deadline = _DEADLINE_WITHOUT_DAEMONS if _dead_daemons(status, pair) else _DEADLINE
    command = ["ping", "-q", "-n", "-c", "1", "-i", "0.1", "-w", str(deadline), pair.dst]
    if lab.call(pair.source, command).code:
        what = f"no answer from {pair.destination} to {pair.source} in {deadline} s"
        raise LabError(_explain(lab, pair, what))


def _dead_daemons(status: Status, pair: Pair) -> list[tuple[str, DaemonStatus]]:
    """Those of the two nodes that have ended, with their node."""
    return [
        (node.name, daemon)
        for node in status.nodes
        if node.name in (pair.source, pair.destination)
        for daemon in node.daemons
        if daemon.code is not None
    ]


def _explain(lab: Lab, pair: Pair, what: str) -> str:
    """Why a pair does not talk, and where to read on."""
    dead = _dead_daemons(lab.status(), pair)
    if not dead:
        logs = f"tkm-lab logs {pair.source}, tkm-lab logs {pair.destination}"
        return f"{what}: see {logs}"
    causes = [f"{daemon.name} on {node} has ended ({daemon.code})" for node, daemon in dead]
    logs = ", ".join(f"tkm-lab logs {node} {daemon.name}" for node, daemon in dead)
    return f"{what}: {', '.join(causes)}; see {logs}"


def _send(lab: Lab, pair: Pair) -> Iterator[Echo]:
    identifier, payload = 1 + secrets.randbelow(0xFFFF), secrets.token_bytes(_PAYLOAD)
    command = ["ping", "-q", "-n", "-c", str(_COUNT), "-i", "0.05", "-w", str(_DEADLINE)]
    command += ["-e", str(identifier), "-s", str(_PAYLOAD), "-p", payload.hex(), pair.dst]
    if lab.call(pair.source, command).code:
        what = f"messages from {pair.source} to {pair.destination} are lost"
        raise LabError(_explain(lab, pair, what))
    for sequence in range(1, _COUNT + 1):
        request = Echo(pair.src, pair.dst, identifier, sequence, payload)
        yield from (request, request.reply())


def _associations(lab: Lab, node: str) -> list[Sa]:
    """The SAs that a node ever had; if not all were recorded, with those that it has now."""
    record = lab.associations(node)
    states = (*record.states, *(lab.states(node).states if record.lost else ()))
    known = {(state.dst, state.spi): state for state in states if state.proto == "esp"}
    return [_association(node, state) for state in known.values()]


def _association(host: str, state: State) -> Sa:
    encryption = state.aead or state.encryption
    integrity = state.aead or state.integrity
    if encryption is None or integrity is None:
        raise LabError(f"{host}: state {state.spi:#010x} has no keys")
    return Sa(
        src=state.src,
        dst=state.dst,
        spi=state.spi,
        mode=Mode(state.mode),
        encryption=encryption.name,
        encryption_key=encryption.key,
        integrity="" if state.aead else integrity.name,
        integrity_key=b"" if state.aead else integrity.key,
        icv_bits=integrity.icv_bits,
        reqid=state.reqid,
        host=host,
        esn=state.esn,
    )


def judge(evidence: Evidence, report: Report = lambda _: None) -> list[Proof]:
    """What the evidence proves, link by link."""
    return [
        Proof(link, _judge_link(evidence, link, report), evidence.places, evidence.lost)
        for link in evidence.captures
    ]


def _judge_link(evidence: Evidence, link: str, report: Report) -> Verdict:
    from lab.proof.engine import verify  # scapy: half a second, for this command alone

    capture = evidence.captures[link]
    frames = read_pcap(capture.pcap, capture.senders)
    expected = [echo for echo in evidence.sent if _crosses(echo, link, evidence.places)]
    verdict = verify(_counted(frames, link, report), evidence.associations, expected)
    if expected:
        return verdict
    # Nobody's messages go this way: silence is fine here.
    failures = tuple(failure for failure in verdict.failures if failure.flaw is not Flaw.NOTHING)
    return replace(verdict, failures=failures)


def _crosses(echo: Echo, link: str, places: Mapping[str, Place]) -> bool:
    """Whether a message comes along: it leaves its source's link, and arrives at the other's."""
    return link in (places[echo.src].link, places[echo.dst].link)


def _counted(frames: Sequence[Frame], link: str, report: Report) -> Iterator[Frame]:
    for frame in frames:
        if frame.number % _SOME == 1:
            report(f"verifying {link}: frame {frame.number} of {len(frames)}")
        yield frame
