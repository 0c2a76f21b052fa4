# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof of a lab: what its hosts say to each other goes through ESP, and nothing else is heard.

For every policy in the kernels a few echo requests with octets of our own are sent. Then the links'
captures, the SAs as the kernels report them, and the list of what was sent go to `lab.proof`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from lab.errors import LabError
from lab.proof import Echo, Mode, Sa, read_pcap

if TYPE_CHECKING:
    from lab.client import Lab
    from lab.ipxfrm import State
    from lab.proof import Frame, Verdict
    from lab.report import Status

_COUNT = 3
_PAYLOAD = 15
"""Octets of an echo message. ping puts a time stamp into longer ones."""
_DEADLINE = 10
"""Seconds until traffic must flow."""


class Pair(NamedTuple):
    """Two nodes that are to talk ESP, with their addresses; `source` begins."""

    source: str
    destination: str
    src: str
    dst: str


class Proof(NamedTuple):
    """What a link's capture proves. `names`: the nodes by address."""

    link: str
    verdict: Verdict
    names: Mapping[str, str]


def protected_pairs(lab: Lab) -> list[Pair]:
    """Who must talk ESP with whom, as the hosts' own SPDs say; each pair once."""
    status = lab.status()
    owners = _owners(status)
    pairs: dict[frozenset[str], Pair] = {}
    for node in status.nodes:
        for policy in lab.states(node.name).policies:
            src, dst = policy.src.partition("/")[0], policy.dst.partition("/")[0]
            if policy.direction == "out" and owners.get(src) == node.name and dst in owners:
                pairs.setdefault(frozenset((src, dst)), Pair(node.name, owners[dst], src, dst))
    return list(pairs.values())


def _owners(status: Status) -> dict[str, str]:
    """The nodes by address."""
    return {
        address.partition("/")[0]: node.name
        for node in status.nodes
        for interface in node.interfaces
        for address in interface.addresses
    }


def check(lab: Lab) -> list[Proof]:
    """Send, capture, verify.

    Raises LabError: there is nothing to check, or nothing comes through.
    """
    from lab.proof.engine import verify  # scapy: half a second, for this command alone

    pairs = protected_pairs(lab)
    if not pairs:
        raise LabError("no host has a policy: there is nothing that ESP must protect")
    status = lab.status()
    starts = {link: lab.capture(link).next for link in status.links}
    for pair in pairs:
        _wait_for_traffic(lab, pair)
    before = list(_associations(lab))
    sent = [echo for pair in pairs for echo in _send(lab, pair)]
    # A rekey may come in between; then an SA is known from only one of the two looks.
    sas = {(sa.host, sa.dst, sa.spi): sa for sa in (*before, *_associations(lab))}
    return [
        Proof(link, verify(_frames(lab, link, start), sas.values(), sent), _owners(status))
        for link, start in starts.items()
    ]


def _wait_for_traffic(lab: Lab, pair: Pair) -> None:
    """Until one request is answered: the first one brings the SAs up, and is lost on the way."""
    command = ["ping", "-q", "-n", "-c", "1", "-i", "0.1", "-w", str(_DEADLINE), pair.dst]
    if lab.call(pair.source, command).code:
        raise LabError(
            f"no answer from {pair.destination} to {pair.source} in {_DEADLINE} s: "
            f"see tkm-lab logs {pair.source}, tkm-lab logs {pair.destination}"
        )


def _send(lab: Lab, pair: Pair) -> Iterator[Echo]:
    identifier, payload = 1 + secrets.randbelow(0xFFFF), secrets.token_bytes(_PAYLOAD)
    command = ["ping", "-q", "-n", "-c", str(_COUNT), "-i", "0.05", "-w", str(_DEADLINE)]
    command += ["-e", str(identifier), "-s", str(_PAYLOAD), "-p", payload.hex(), pair.dst]
    result = lab.call(pair.source, command)
    if result.code:
        raise LabError(
            f"{pair.source}: echo requests to {pair.destination} are lost: "
            f"{result.stdout.decode(errors='replace').strip().splitlines()[-1:]}"
        )
    for sequence in range(1, _COUNT + 1):
        request = Echo(pair.src, pair.dst, identifier, sequence, payload)
        yield from (request, request.reply())


def _frames(lab: Lab, link: str, since: int) -> list[Frame]:
    capture = lab.capture(link, since)
    if capture.lost:
        raise LabError(f"the capture has lost {capture.lost} frames and proves nothing")
    return read_pcap(capture.pcap, capture.senders)


def _associations(lab: Lab) -> Iterator[Sa]:
    for node in lab.status().nodes:
        for state in lab.states(node.name).states:
            if state.proto == "esp" and state.spi:
                yield _association(node.name, state)


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
