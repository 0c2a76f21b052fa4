# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab's wire as pcapng, and its keys beside it: all that was sent, or on and on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lab.build.backends.builtin import EXPOSED
from lab.check.proof import read_pcap
from lab.client import metadata
from lab.observe import follow, wireshark
from lab.observe.folder import write_folder
from lab.observe.pcapng import Writer

if TYPE_CHECKING:
    from lab.client.lab import Lab
    from lab.client.status import CaptureFile


class Recorder:
    """Octets of a pcapng file of one link, or of all; with `keys`, a folder for Wireshark.

    Raises UsageError: there is no such link, or the folder cannot be written.
    """

    def __init__(self, lab: Lab, link: str | None = None, keys: Path | None = None) -> None:
        self._lab = lab
        self._link = link
        self._keys = keys
        self._written: Mapping[str, str] = {}
        self._writer = Writer()
        self.lost = 0
        """Frames that are missing in what was given so far."""

    def all(self, since: int = 0) -> bytes:
        """What was sent by now, from the frame numbered `since` on."""
        captured = self._lab.capture(self._link, since)
        self._write_keys()
        return self._begin() + self._packets(captured)

    def live(self, since: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The same piece by piece, and what comes; the keys before the frames that need them.

        It ends when the descriptor `end` becomes readable.
        """
        self._write_keys()
        yield self._begin()
        for captured in follow.frames(self._lab, self._link, since, end=end):
            self._write_keys()
            yield self._packets(captured)

    def _begin(self) -> bytes:
        return self._writer.begin(self._lab.name, self._lab.summary().kernel)

    def _packets(self, captured: CaptureFile) -> bytes:
        frames = read_pcap(captured.pcap, captured.senders)
        pairs = zip(captured.ports, frames, strict=True)
        packets = b"".join(self._writer.packet(f.time, port, f.octets) for port, f in pairs)
        self.lost += captured.lost
        return packets + self._writer.loss(time.time(), captured.lost)

    def _write_keys(self) -> None:
        if self._keys is None:
            return
        files = key_files(self._lab)
        if files != self._written:
            write_folder(self._keys, files)
            self._written = files


def key_files(lab: Lab) -> Mapping[str, str]:
    """What Wireshark needs to look inside, see `lab.observe.wireshark`."""
    status = lab.status()
    nodes = [node.name for node in status.nodes]
    states = [sa for node in nodes for sa in lab.associations(node).states]
    exposed = nodes if metadata.ike_keys_exposed(status) else []
    rows = [row for node in exposed for row in _ike_keys(lab, node)]
    return wireshark.files(states, rows, esn=wireshark.takes_esn())


def _ike_keys(lab: Lab, node: str) -> list[str]:
    """The rows that a Key Manager has written; none if the node has none."""
    return lab.call(node, ["cat", EXPOSED]).stdout.decode().splitlines()
