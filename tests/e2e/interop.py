# SPDX-License-Identifier: GPL-2.0-or-later
"""Two IKE daemons, asked what they have, and held to it by their kernels and the wire."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.check.checker import check
from lab.client import vici
from lab.client.lab import Lab
from lab.client.vici import ChildSa, IkeSa

DEADLINE = 10.0


class Pair:
    """Two nodes, the name of their connection, and what either says about the SAs between them."""

    def __init__(self, lab: Lab, name: str, nodes: tuple[str, str]) -> None:
        self.lab = lab
        self.name = name
        self.nodes = nodes

    def side(self, side: str) -> str:
        """The `first` or the `second` node."""
        return self.nodes[side == "second"]

    def sas(self, node: str) -> list[IkeSa]:
        return [sa for sa in vici.sas(self.lab, node) if sa.name == self.name]

    def children(self, node: str) -> list[ChildSa]:
        """Those in use: both daemons keep one that was rekeyed for some seconds."""
        found = (child for sa in self.sas(node) for child in sa.children)
        return [child for child in found if child.state == "INSTALLED"]

    def ike_spis(self) -> set[tuple[int, int]] | None:
        """Of the one IKE SA; None while they do not agree on one."""
        found = [[sa.spis for sa in self.sas(node)] for node in self.nodes]
        return set(found[0]) if found[0] == found[1] and len(found[0]) == 1 else None

    def child_spis(self) -> set[int] | None:
        """Of the one Child SA in use; None while they do not agree on one."""
        ours, theirs = (
            [(child.spi_in, child.spi_out) for child in self.children(node)] for node in self.nodes
        )
        agreed = len(ours) == 1 and ours == [(out, inward) for inward, out in theirs]
        return set(ours[0]) if agreed else None

    def establish(self) -> None:
        """Have one IKE SA and one Child SA."""
        if not self.child_spis():
            vici.initiate(self.lab, self.nodes[0], self.name)
            wait_until(self.child_spis, "one Child SA")

    def prove(self) -> None:
        """What is agreed on is what the wire shows, under keys that both kernels have."""
        proofs = check(self.lab)
        failures = [str(failure) for proof in proofs for failure in proof.verdict.failures]
        assert not failures
        wait_until(self.child_spis, "one Child SA")
        spis = self.child_spis() or set()
        used = {packet.spi for proof in proofs for packet in proof.verdict.esp}
        assert spis <= used


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Ask again until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not in {DEADLINE} s"
