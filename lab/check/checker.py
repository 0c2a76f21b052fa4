# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof of a lab: what its hosts send to each other goes through ESP, and nothing else is sent.

For every policy in the kernels a few echo requests with octets of our own are sent (`gather`). Then
`lab.check.proof` judges what was on each link since the lab came up: ESP carried these messages,
every other ESP packet is what it claims to be, too, and nothing was in plain text (`judge`), but on
links that lie inside the networks that gateways protect.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from lab.check.pairs import Pair, Places, Policies, pairs_of, places_in, selectors_of
from lab.check.proof import Echo, Flaw, Mode, Sa, iter_pcap
from lab.client import which
from lab.client.metadata import topology_in
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.check.proof import Frame, Verdict
    from lab.client.lab import Lab
    from lab.client.status import CaptureFile, DaemonStatus, Status
    from lab.xfrm.ip_output import Policy, State

_COUNT = 3
_PAYLOAD = 15
"""Octets of an echo message. ping puts a time stamp into longer ones."""
_DEADLINE = 10
"""Seconds until traffic must flow."""
_DEADLINE_WITHOUT_DAEMONS = 2
_SOME = 5000
"""Frames between two reports of progress."""

Report = Callable[[str], None]
"""Receives what is being done."""


class Sent(NamedTuple):
    """An echo message, and the links on which ESP must be seen to carry it."""

    echo: Echo
    links: frozenset[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a proof needs."""

    captures: Mapping[str, CaptureFile]
    """By link."""
    associations: Sequence[Sa]
    sent: Sequence[Sent]
    places: Places
    lost: str
    """What the lab has forgotten, in words; if anything, the captures begin with the check."""
    red: frozenset[str] = frozenset()
    """The links on which plain text is normal, as the topology has it."""


class Proof(NamedTuple):
    """What a link's capture proves."""

    link: str
    verdict: Verdict
    places: Places
    lost: str
    """As in `Evidence`."""
    red: bool = False
    """Plain text is normal here."""


class Whole(NamedTuple):
    """What the proofs of all links show together."""

    ok: bool
    """No link refuses."""
    refused: tuple[str, ...]
    """The links that do."""
    proven: tuple[str, ...]
    """Those on which ESP was verified; the rest is silent or red."""
    lost: str
    """As in `Evidence`: what the proofs do not cover."""


def whole(proofs: Sequence[Proof]) -> Whole:
    """One verdict for all links: it holds if each link's does."""
    refused = tuple(proof.link for proof in proofs if not proof.verdict.ok)
    proven = tuple(p.link for p in proofs if p.verdict.ok and p.verdict.esp and not p.red)
    lost = next((proof.lost for proof in proofs if proof.lost), "")
    return Whole(not refused, refused, proven, lost)


def check(lab: Lab, report: Report = lambda _: None) -> list[Proof]:
    """Send, capture, verify; a proof for each link.

    Raises LabError: there is nothing to check, or nothing comes through, and why.
    """
    return judge(gather(lab, report), report)


def protected_pairs(lab: Lab) -> list[Pair]:
    """Who must talk ESP with whom, as the hosts' own SPDs say; each pair once."""
    status = lab.status()
    return pairs_of(_policies(lab, status), places_in(status))


def _policies(lab: Lab, status: Status) -> Policies:
    return {node.name: lab.states(node.name).policies for node in status.nodes}


def gather(lab: Lab, report: Report = lambda _: None) -> Evidence:
    """Send messages between all protected pairs, and collect what proves how they went.

    Raises LabError: there is nothing to check, or nothing comes through, and why.
    """
    report("waiting for traffic")
    status = lab.status()
    policies = _policies(lab, status)
    pairs = pairs_of(policies, places_in(status))
    if not pairs:
        raise LabError("no host has a policy: there is nothing that ESP must protect")
    for pair in pairs:
        _wait_for_traffic(lab, pair, status)
    report("sending")
    sent = [Sent(echo, pair.links) for pair in pairs for echo in _send(lab, pair)]
    report("fetching what the wire has seen")
    forgotten = lab.status().forgotten
    lost = " and ".join(f"{count} {what}" for what, count in forgotten.items() if count)
    since = status.frames if lost else 0
    captures = {link: lab.capture(link, since) for link in status.links}
    if missing := max(capture.lost for capture in captures.values()):
        raise LabError(f"the capture has lost {missing} frames of the check and proves nothing")
    # After the captures: by now the SA of every packet in them is known.
    sas = [sa for node, its in policies.items() for sa in _associations(lab, node, its)]
    topology = topology_in(status)
    red = topology.red_links if topology else frozenset()
    return Evidence(captures, sas, sent, places_in(status), lost, red)


def _wait_for_traffic(lab: Lab, pair: Pair, status: Status) -> None:
    """Until one request is answered: the first one brings the SAs up, and is lost on the way."""
    deadline = _DEADLINE_WITHOUT_DAEMONS if _dead_daemons(status, pair) else _DEADLINE
    command = ["ping", "-q", "-n", "-c", "1", "-i", "0.1", "-w", str(deadline), pair.dst]
    if lab.call(pair.source, command).code:
        what = f"no answer from {pair.destination} to {pair.source} in {deadline} s"
        raise LabError(_explain(lab, pair, what))


def _dead_daemons(status: Status, pair: Pair) -> list[tuple[str, DaemonStatus]]:
    """Those of the two gateways that have ended, with their node."""
    return [
        (node.name, daemon)
        for node in status.nodes
        if node.name in pair.gateways
        for daemon in node.daemons
        if daemon.code is not None
    ]


def _explain(lab: Lab, pair: Pair, what: str) -> str:
    """Why a pair does not talk, and where to read on."""
    dead = _dead_daemons(lab.status(), pair)
    if not dead:
        logs = ", ".join(which.command(lab.name, "logs", node) for node in pair.gateways)
        return f"{what}: see {logs}"
    causes = [f"{daemon.name} on {node} has ended ({daemon.code})" for node, daemon in dead]
    logs = ", ".join(which.command(lab.name, "logs", node, daemon.name) for node, daemon in dead)
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


def sas_of(lab: Lab, node: str) -> list[Sa]:
    """The ESP SAs that a node ever had, keys included. Raises LabError."""
    return _associations(lab, node, lab.states(node).policies)


def _associations(lab: Lab, node: str, policies: tuple[Policy, ...]) -> list[Sa]:
    """The SAs that a node ever had; if not all were recorded, with those that it has now."""
    record = lab.associations(node)
    states = (*record.states, *(lab.states(node).states if record.lost else ()))
    known = {(state.dst, state.spi): state for state in states if state.proto == "esp"}
    return [association_of(node, state, policies) for state in known.values()]


def association_of(host: str, state: State, policies: tuple[Policy, ...]) -> Sa:
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
        in_udp=state.encap is not None,
        selectors=selectors_of(state, policies),
    )


def judge(evidence: Evidence, report: Report = lambda _: None) -> list[Proof]:
    """What the evidence proves, link by link."""
    return [
        Proof(
            link,
            _judge_link(evidence, link, report),
            evidence.places,
            evidence.lost,
            link in evidence.red,
        )
        for link in evidence.captures
    ]


def _judge_link(evidence: Evidence, link: str, report: Report) -> Verdict:
    from lab.check.proof.engine import verify  # scapy: half a second, for this command alone

    capture = evidence.captures[link]
    frames = iter_pcap(capture.pcap, capture.senders)
    expected = [sent.echo for sent in evidence.sent if link in sent.links]
    counted = _counted(frames, len(capture.ports), link, report)
    verdict = verify(counted, evidence.associations, expected, red=link in evidence.red)
    if expected:
        return verdict
    # Nobody's messages go this way: silence is fine here.
    failures = tuple(failure for failure in verdict.failures if failure.flaw is not Flaw.NOTHING)
    return replace(verdict, failures=failures)


def _counted(frames: Iterable[Frame], count: int, link: str, report: Report) -> Iterator[Frame]:
    for frame in frames:
        if frame.number % _SOME == 1:
            report(f"verifying {link}: frame {frame.number} of {count}")
        yield frame
