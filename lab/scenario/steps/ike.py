# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that ask IKE daemons to act, and look at the SAs that they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.client import vici
from lab.errors import LabError
from lab.scenario import values
from lab.scenario.errors import Failed, NotYet
from lab.scenario.step import Step, key, kind
from lab.scenario.suites import suite_of
from lab.scenario.values import Pair

if TYPE_CHECKING:
    from lab.client.vici import ChildSa, IkeSa
    from lab.scenario.stage import Stage

_TARGETS = ("child", "ike")
_Known = dict[str, set[Any]]
"""SPIs, by what they are of."""


@kind
class Initiate(Step):
    """Have a host set up the Child SA with another; there it is when the step is done.

    With `refused` it must not come to be, and the IKE daemon reports why.
    """

    initiate: Pair = key(values.protected, "who begins -> with whom")
    refused: str = key(values.text, "a piece of the reason that must be given", default="")
    within: float = key(values.seconds, "how long it may take", default=10)

    def attempt(self, stage: Stage) -> str:
        name = stage.connection(self.initiate)
        try:
            vici.initiate(stage.lab, self.initiate.source, name, self.within)
        except LabError as refusal:
            if self.refused and values.pattern(self.refused).search(str(refusal)):
                return str(refusal)
            raise
        if self.refused:
            raise Failed("it was not refused")
        return ""


@kind
class Rekey(Step):
    """Have a host begin to rekey; `expect_sas` with `fresh` waits for the outcome."""

    rekey: Pair = key(values.protected, "who begins -> with whom")
    what: str = key(values.one_of(*_TARGETS), "the Child SA or the IKE SA", default="child")

    def attempt(self, stage: Stage) -> str:
        name = {self.what: stage.connection(self.rekey)}
        vici.rekey(stage.lab, self.rekey.source, **name)
        return ""


@kind
class Terminate(Step):
    """Have a host delete an SA; it is gone when the step is done."""

    terminate: Pair = key(values.protected, "who deletes -> with whom it has the SA")
    what: str = key(values.one_of(*_TARGETS), "the Child SA or all of the IKE SA", default="ike")
    within: float = key(values.seconds, "how long it may take", default=10)

    def attempt(self, stage: Stage) -> str:
        name = {self.what: stage.connection(self.terminate)}
        vici.terminate(stage.lab, self.terminate.source, **name, timeout=self.within)
        return ""


class _Seen(NamedTuple):
    """The SAs of a host with a peer."""

    ike: Sequence[IkeSa]
    """Those that are established."""
    children: Sequence[ChildSa]
    """Those that are installed."""
    every: Sequence[ChildSa]
    """Those on their way out, too."""


@kind
class ExpectSas(Step):
    """Wait until IKE daemons and kernels have so many SAs, and such ones.

    `alice -> bob` looks at alice's end, `alice <-> bob` at both. Always looked at: the peer's
    identity, the policy's mode, and that the kernel has the states of these Child SAs and no
    others.
    """

    acts = False
    expect_sas: Pair = key(values.protected, "whose SAs <-> with whom")
    ike: int = key(values.number, "how many IKE SAs are established", default=1)
    children: int = key(values.number, "how many Child SAs are installed", default=1)
    fresh: str = key(
        values.one_of(*_TARGETS),
        "which SAs are others than at the last `expect_sas` of this host",
        default="",
    )
    initiator: str = key(values.node, "who has begun the IKE SAs", default="")
    suite: str = key(
        values.text, "the IKE SAs' algorithms, such as `aes256-sha512-modp4096`", default=""
    )
    child_suite: str = key(
        values.text,
        "the Child SAs' algorithms; the first of an IKE SA has no group",
        default="",
    )
    within: float = key(values.seconds, "how long that may take", default=10)

    def attempt(self, stage: Stage) -> str:
        source, destination, both = self.expect_sas
        known = {}
        for node, peer in [(source, destination), (destination, source)][: 2 if both else 1]:
            seen = self._look(stage, node)
            self._check(stage, node, peer, seen)
            self._check_kernel(stage, node, seen)
            known["sas", node] = self._check_fresh(stage, node, seen)
        stage.memory.update(known)  # only now: what does not hold is looked at again
        return f"{self.ike} IKE, {self.children} Child"

    def _look(self, stage: Stage, node: str) -> _Seen:
        name = stage.connection(self.expect_sas)
        sas = [sa for sa in vici.sas(stage.lab, node) if sa.name == name]
        every = [child for sa in sas for child in sa.children]
        established = [sa for sa in sas if sa.state == "ESTABLISHED"]
        installed = [child for child in every if child.state == "INSTALLED"]
        return _Seen(established, installed, every)

    def _check(self, stage: Stage, node: str, peer: str, seen: _Seen) -> None:
        _same(node, "established IKE SAs", len(seen.ike), self.ike)
        _same(node, "installed Child SAs", len(seen.children), self.children)
        began = {True: "yes", False: "nothing"}[self.initiator == node]
        for sa in seen.ike:
            _same(node, "remote-id", sa.fields["remote-id"], stage.topology.nodes[peer].identity)
            if self.initiator:
                _same(node, "initiator", sa.fields.get("initiator", "nothing"), began)
            if self.suite:
                _same(node, "algorithms of IKE", suite_of(sa.fields), self.suite)
        for child in seen.children:
            mode = stage.policy(self.expect_sas).mode
            _same(node, "mode", child.fields["mode"], mode.upper())
            if self.child_suite:
                _same(node, "algorithms of ESP", suite_of(child.fields), self.child_suite)

    def _check_kernel(self, stage: Stage, node: str, seen: _Seen) -> None:
        ends, states = stage.ends(self.expect_sas, node), stage.states(node)
        kernel = {state.spi for state in states if state.spi and {state.src, state.dst} == ends}
        if missing := _spis(seen.children) - kernel:
            raise NotYet(f"{node}'s kernel has no state {min(missing):08x}")
        if more := kernel - _spis(seen.every):
            raise NotYet(f"{node}'s kernel has a state that no Child SA has: {min(more):08x}")

    def _check_fresh(self, stage: Stage, node: str, seen: _Seen) -> _Known:
        """What was there at the last look is there no more; return what is."""
        now: _Known = {"ike": {sa.spis for sa in seen.ike}, "child": _spis(seen.children)}
        before: _Known = stage.memory.get(("sas", node), {})
        if self.fresh and now[self.fresh] & before.get(self.fresh, set()):
            raise NotYet(f"{node} still has the old {self.fresh} SA")
        return now


def _spis(children: Sequence[ChildSa]) -> set[int]:
    return {spi for child in children for spi in (child.spi_in, child.spi_out)}


def _same(node: str, what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise NotYet(f"{what} on {node}: {found}, not {wanted}")
