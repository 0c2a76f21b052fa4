# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that disturb the wire, outside of all hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import KernelError
from lab.scenario import values
from lab.scenario.errors import CouldNotRun, ScenarioError
from lab.scenario.step import Step, key, kind
from lab.topology import Topology
from lab.topology.impairment import Impairment

if TYPE_CHECKING:
    from lab.scenario.stage import Stage


@kind
class Partition(Step):
    """Cut hosts off a link; they notice nothing but silence."""

    partition: tuple[str, ...] = key(values.nodes, "which hosts")
    link: str | None = key(values.link, "which link; needed where they have several", default=None)

    def check(self, names: Topology) -> None:
        for node in self.partition:
            links = tuple(names.nodes[node].addresses)
            if self.link is None and len(links) > 1:
                raise ScenarioError(f"{node} is on {', '.join(links)}: say which with link = …")
            if self.link not in (None, *links):
                raise ScenarioError(f"{node} is not on {self.link}, but on {', '.join(links)}")

    def attempt(self, stage: Stage) -> str:
        for node in self.partition:
            link = self.link or next(iter(stage.topology.nodes[node].addresses))
            stage.lab.disturb(link, [node], cut=True)
        return ""


@kind
class Impair(Step):
    """Make a link bad. It lasts until `heal`; a further `impair` takes the place of this one."""

    impair: str = key(values.link, "which link")
    towards: tuple[str, ...] = key(values.nodes, "what these hosts receive; else all", default=())
    loss: float = key(values.percent, "per cent of frames that are lost", default=0)
    delay: float = key(values.number, "milliseconds that each frame takes longer", default=0)
    jitter: float = key(values.number, "milliseconds by which the delay varies", default=0)
    reorder: float = key(values.percent, "per cent that overtake the delayed others", default=0)
    duplicate: float = key(values.percent, "per cent that arrive twice", default=0)
    rate: str = key(values.text, "at most so many bits a second, such as 10mbit", default="")

    def check(self, names: Topology) -> None:
        if fault := self._impairment.fault():
            raise ScenarioError(fault)
        if not self.netem:
            raise ScenarioError("what is wrong with the link? write loss = 10, or delay = 50")

    @property
    def _impairment(self) -> Impairment:
        return Impairment(
            *(self.loss, self.delay, self.jitter, self.reorder, self.duplicate, self.rate)
        )

    @property
    def netem(self) -> list[str]:
        """The words of tc-netem(8)."""
        return self._impairment.netem

    def attempt(self, stage: Stage) -> str:
        there = stage.topology.nodes_on(self.impair)
        nodes = [node for node in there if not self.towards or node in self.towards]
        try:
            stage.lab.disturb(self.impair, nodes, netem=self.netem)
        except KernelError as lack:
            raise CouldNotRun(str(lack)) from lack
        return ""


@kind
class Heal(Step):
    """Make a link what the topology says again: nobody is cut off, nothing else is lost or late."""

    heal: str = key(values.link, "which link")

    def attempt(self, stage: Stage) -> str:
        whole = stage.topology.links[self.heal].impairment.netem
        stage.lab.disturb(self.heal, stage.topology.nodes_on(self.heal), cut=False, netem=whole)
        return ""
