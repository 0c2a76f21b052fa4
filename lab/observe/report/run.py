# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a run, and the file that keeps it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.check.proof import Mode, Sa
from lab.client.status import CaptureFile, LogLine, Port
from lab.errors import UsageError
from lab.protocol import document

VERSION = 1
"""Of the file."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A step of a scenario: what was done or expected, and what was seen."""

    step: str
    state: str
    """"passed", "failed" or "skipped"."""
    seconds: float
    """How long it took."""
    seen: str


@dataclass(frozen=True, slots=True)
class Run:
    """A lab from its start to the moment of the report."""

    name: str
    kernel: str
    hosts: tuple[str, ...]
    """In the order of the topology."""
    addresses: Mapping[str, str]
    """Address -> host."""
    captures: Mapping[str, CaptureFile]
    """By link."""
    logs: tuple[LogLine, ...]
    sas: tuple[Sa, ...]
    """Every ESP SA that a kernel ever had, keys included."""
    ike_keys: tuple[str, ...] = field(default=(), repr=False)
    """Rows of Wireshark's `ikev2_decryption_table`; empty unless the lab exposes IKE keys."""
    red_links: frozenset[str] = frozenset()
    """Links on which plain text is normal."""
    impairments: tuple[str, ...] = ()
    """What is wrong with a link at the moment of the report, in words."""
    lost: str = ""
    """What the lab has forgotten, in words."""
    expectations: tuple[Expectation, ...] = ()
    """The steps of the scenario, if it was one."""


def dump(run: Run) -> str:
    """The run as a file. It holds the throw-away keys of the lab."""
    captures = {
        link: {
            "pcap": base64.b64encode(one.pcap).decode(),
            "ports": [list(port) for port in one.ports],
            "next": one.next,
            "lost": one.lost,
        }
        for link, one in run.captures.items()
    }
    return json.dumps(
        {
            "version": VERSION,
            "name": run.name,
            "kernel": run.kernel,
            "hosts": list(run.hosts),
            "addresses": dict(run.addresses),
            "captures": captures,
            "logs": [document.encode(line) for line in run.logs],
            "sas": [_sa_json(sa) for sa in run.sas],
            "ike_keys": list(run.ike_keys),
            "red_links": sorted(run.red_links),
            "impairments": list(run.impairments),
            "lost": run.lost,
            "expectations": [document.encode(each) for each in run.expectations],
        }
    )


def load(text: str) -> Run:
    """The run in a file that `dump` has made.

    Raises:
        UsageError: it is not one, or of another version.
    """
    try:
        kept = json.loads(text)
        version = kept["version"]
    except (ValueError, KeyError, TypeError) as trouble:
        raise UsageError("this is not a run that tkm-lab has kept") from trouble
    if version != VERSION:
        raise UsageError(f"a kept run of version {version}: this tkm-lab reads version {VERSION}")
    try:
        return _run(kept)
    except (ValueError, KeyError, TypeError) as trouble:
        raise UsageError(f"a kept run that is damaged: {trouble!r}") from trouble


def _run(kept: Mapping[str, Any]) -> Run:
    captures = {
        link: CaptureFile(
            base64.b64decode(one["pcap"], validate=True),
            tuple(Port(*port) for port in one["ports"]),
            one["next"],
            one["lost"],
        )
        for link, one in kept["captures"].items()
    }
    return Run(
        name=kept["name"],
        kernel=kept["kernel"],
        hosts=tuple(kept["hosts"]),
        addresses=kept["addresses"],
        captures=captures,
        logs=tuple(document.decode(LogLine, line) for line in kept["logs"]),
        sas=tuple(_sa(each) for each in kept["sas"]),
        ike_keys=tuple(kept["ike_keys"]),
        red_links=frozenset(kept["red_links"]),
        impairments=tuple(kept["impairments"]),
        lost=kept["lost"],
        expectations=tuple(document.decode(Expectation, one) for one in kept["expectations"]),
    )


_OCTETS = ("encryption_key", "integrity_key")


def _sa_json(sa: Sa) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(sa, name) for name in Sa.__slots__}
    return row | {name: row[name].hex() for name in _OCTETS}


def _sa(row: Mapping[str, Any]) -> Sa:
    keys = {name: bytes.fromhex(row[name]) for name in _OCTETS}
    selectors = tuple((first, second) for first, second in row["selectors"])
    return Sa(**{**row, **keys, "mode": Mode(row["mode"]), "selectors": selectors})
