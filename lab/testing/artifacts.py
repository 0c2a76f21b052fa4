# SPDX-License-Identifier: GPL-2.0-or-later
"""What a failed test leaves: sections in its report, and a folder to look into.

wire.pcapng     every link, with keys/ for Wireshark beside it
run.html        all of it as one page, see `tkm-lab report`
logs.txt        all daemons of all hosts, by time
states.txt      SPD and SAD of every host
"""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.observe.recording import Recorder
from lab.observe.report.record import record
from lab.observe.report.write import write_page

if TYPE_CHECKING:
    from lab.client.lab import Lab
    from lab.client.status import LogLine
    from lab.testing.expect import Links

INCOMPLETE = "lab: not all could be saved"
"""The section that says what is missing."""
_LINES = 60
"""Lines that a section of a report has at most; the files have all."""


def save(lab: Lab, links: Links, first_line: int, place: Path) -> list[tuple[str, str]]:
    """Write down what a lab has seen since the test began; return sections for the report.

    What cannot be had any more is passed over: the lab may be what has died.
    """
    sections = []
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / "wire.pcapng").write_bytes(Recorder(lab, keys=place / "keys").all(links.since))
        sections.append(("lab: the wire", _clip(_wire(links))))
        logs = [_line(line) for line in lab.logs(since=first_line)]
        (place / "logs.txt").write_text("\n".join(logs) + "\n", encoding="utf-8")
        sections.append(("lab: logs", _clip(logs)))
        (place / "states.txt").write_text(_states(lab), encoding="utf-8")
        write_page(record(lab), place / "run.html")
    except (LabError, AssertionError, OSError) as trouble:
        sections.append((INCOMPLETE, str(trouble)))
    look = (
        f"WIRESHARK_CONFIG_DIR={_quoted(place / 'keys')} wireshark {_quoted(place / 'wire.pcapng')}"
    )
    return [*sections, ("lab: files", f"{place}\nto look inside ESP: {look}")]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def folder(parent: Path, test: str) -> Path:
    """Where the files of a test go."""
    return parent / re.sub(r"[^\w.-]+", "-", test).strip("-")[-120:]


def _wire(links: Links) -> list[str]:
    return [text for link in links for text in (f"{link.name}:", *map(str, link.seen))]


def _line(line: LogLine) -> str:
    when = time.strftime("%H:%M:%S", time.localtime(line.time))
    return f"{when}.{int(line.time % 1 * 1000):03} {line.node} {line.daemon}: {line.message}"


def _states(lab: Lab) -> str:
    parts = []
    for node in lab.status().nodes:
        for table in ("policy", "state"):
            done = lab.call(node.name, ["ip", "-s", "xfrm", table])
            parts.append(
                f"# {node.name}: ip -s xfrm {table}\n{done.stdout.decode(errors='replace')}"
            )
    return "\n".join(parts)


def _clip(lines: list[str]) -> str:
    left_out = len(lines) - _LINES
    head = [f"({left_out} lines more in the file)"] if left_out > 0 else []
    return "\n".join([*head, *lines[-_LINES:]])
