# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that look: at logs, packets, policies, counters, and at what the TKM holds."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.check.checker import check
from lab.client import vici
from lab.scenario import values
from lab.scenario.errors import Failed, NotYet, ScenarioError
from lab.scenario.packets import tally
from lab.scenario.step import Step, key, kind
from lab.scenario.values import Daemon, Pair, Traffic
from lab.topology import Topology

if TYPE_CHECKING:
    from lab.scenario.stage import Stage
    from lab.xfrm.ip_output import Policy

_SOON = 5.0
"""Seconds for which most things are waited for."""
_MANAGER = "tkm_keymanager"
_CONTEXTS = "Contexts in use:"


@kind
class WaitFor(Step):
    """Wait until a daemon has ended by itself."""

    acts = False
    wait_for: str = key(values.one_of("end"), "what is waited for")
    of: Daemon = key(values.daemon, "which program on which host")
    within: float = key(values.seconds, "how long that may take", default=10)

    def attempt(self, stage: Stage) -> str:
        stage.lab.wait_for_exit(self.of.node, self.of.name, deadline=self.within)
        return ""


@kind
class ExpectLog(Step):
    """Wait until a daemon has logged all of these lines; "…" in a line stands for anything."""

    acts = False
    expect_log: Daemon = key(values.daemon, "which program on which host")
    says: tuple[str, ...] = key(values.texts, "pieces of lines", default=())
    never: tuple[str, ...] = key(values.texts, "what it must not have logged by then", default=())
    times: int = key(values.number, "how often it logs each, exactly; 0: at least once", default=0)
    within: float = key(values.seconds, "how long that may take", default=_SOON)

    def attempt(self, stage: Stage) -> str:
        lines = [line.text for line in stage.log(self.expect_log)]
        for wanted in self.says:
            count = sum(bool(values.pattern(wanted).search(line)) for line in lines)
            if not count:
                raise NotYet(f"no line with '{wanted}'")
            if self.times and count != self.times:
                raise NotYet(f"{count} lines with '{wanted}', not {self.times}")
        for unwanted in self.never:
            if any(values.pattern(unwanted).search(line) for line in lines):
                raise Failed(f"a line with '{unwanted}'")
        return f"{len(self.says) + len(self.never)} looked for"

    def __str__(self) -> str:
        return f"expect log {self.expect_log}"


@kind
class ExpectPackets(Step):
    """Wait until such packets were on a link; every one counts as its sender put it there."""

    acts = False
    expect_packets: Traffic = key(values.traffic, "which packets")
    on: str = key(values.link, "on which link; needed if there are several", default="")
    at_least: int = key(values.number, "how many", default=1)
    none: bool = key(values.flag, "there must not be a single one", default=False)
    recent: bool = key(
        values.flag, "count only since the last step that did something", default=False
    )
    within: float = key(values.seconds, "how long that may take", default=_SOON)

    def check(self, names: Topology) -> None:
        if not self.on and len(names.links) > 1:
            raise ScenarioError(f"say on which link: on = {' or '.join(names.links)}")

    def attempt(self, stage: Stage) -> str:
        seen = stage.packets(self.on or next(iter(stage.topology.links)), recent=self.recent)
        found = [packet for packet in seen if packet.is_of(self.expect_packets)]
        if self.none and found:
            raise Failed(f"there were {len(found)}: {found[0].text or found[0].kind}")
        if not self.none and len(found) < self.at_least:
            raise NotYet(f"{len(found)} of {self.at_least}; there was {tally(seen)}")
        return f"{len(found)} of {len(seen)} packets"


@kind
class Prove(Step):
    """Prove on the wire what `tkm-lab check` proves: every ESP packet is what it claims to be.

    It sends messages of its own; nothing may be cut off, lost or injected before.
    """

    acts = False
    prove: str = key(values.one_of("all"), "which links")

    def attempt(self, stage: Stage) -> str:
        proofs = check(stage.lab)
        for proof in proofs:
            for failure in proof.verdict.failures:
                raise Failed(f"{proof.link}: {failure}")
        return f"{sum(len(proof.verdict.esp) for proof in proofs)} ESP packets verified"


@kind
class ExpectPolicies(Step):
    """Wait until the kernels' SPDs want ESP between two hosts, as the topology says; or do not."""

    acts = False
    expect_policies: Pair = key(values.protected, "whose SPD <-> for the traffic with whom")
    none: bool = key(values.flag, "there must be no such policy", default=False)
    within: float = key(values.seconds, "how long that may take", default=_SOON)

    def attempt(self, stage: Stage) -> str:
        mode = stage.policy(self.expect_policies).mode
        source, destination, both = self.expect_policies
        for node in (source, destination)[: 2 if both else 1]:
            ends, policies = stage.ends(self.expect_policies, node), stage.lab.states(node).policies
            found = {
                each.direction
                for each in policies
                if (each.proto, each.mode) == ("esp", mode) and _between(each) == ends
            }
            if self.none and found:
                raise NotYet(f"{node} has a policy for {', '.join(sorted(found))}")
            if not self.none and not found >= {"in", "out"}:
                raise NotYet(f"{node} has policies for {', '.join(sorted(found)) or 'nothing'}")
        return "none" if self.none else mode


def _between(policy: Policy) -> set[str]:
    """The hosts that a policy wants ESP between."""
    return set(policy.tunnel or (end.partition("/")[0] for end in (policy.src, policy.dst)))


@kind
class ExpectCounters(Step):
    """Wait until counters of the kernel (/proc/net/xfrm_stat) rose by so much since `inject`."""

    acts = False
    expect_counters: str = key(values.node, "which host")
    rose: Mapping[str, int] = key(values.counters, "by how much each did, exactly")
    within: float = key(values.seconds, "how long that may take", default=_SOON)

    def attempt(self, stage: Stage) -> str:
        before = stage.memory.get(("counters", self.expect_counters), {})
        now = stage.counters(self.expect_counters)
        for name, wanted in self.rose.items():
            if name not in now:
                raise Failed(f"the kernel has no counter {name}")
            rise = now[name] - before.get(name, 0)
            if rise != wanted:
                raise NotYet(f"{name} rose by {rise}, not {wanted}")
        return ", ".join(f"{name} +{count}" for name, count in self.rose.items())


@kind
class ExpectContexts(Step):
    """Wait until the TKM of a host holds what its SAs need, and nothing else: nothing leaked.

    That is an ISA and an AE context for each IKE SA, an ESA context for each Child SA; no nonce, no
    key exchange, no certificate chain.
    """

    acts = False
    expect_contexts: str = key(values.node, "which host")
    within: float = key(values.seconds, "how long that may take", default=10)

    def attempt(self, stage: Stage) -> str:
        sas = vici.sas(stage.lab, self.expect_contexts)
        children = sum(len(sa.children) for sa in sas)
        wanted = {"isa": len(sas), "ae": len(sas), "esa": children, "nc": 0, "ke": 0, "cc": 0}
        found = _contexts(stage, self.expect_contexts)
        if extra := {kind: n for kind, n in found.items() if n != wanted[kind]}:
            held = ", ".join(f"{n} {kind}, not {wanted[kind]}" for kind, n in extra.items())
            raise NotYet(f"the TKM holds {held}")
        return ", ".join(f"{n} {kind}" for kind, n in wanted.items() if n) or "none"


def _contexts(stage: Stage, node: str) -> dict[str, int]:
    """What the TKM reports that it holds, when asked by a signal."""
    daemon = Daemon(_MANAGER, node)
    before = sum(_CONTEXTS in line.text for line in stage.log(daemon))
    stage.lab.signal(node, _MANAGER, signal.SIGUSR1)
    deadline = time.monotonic() + _SOON
    while time.monotonic() < deadline:
        found = [line.text for line in stage.log(daemon) if _CONTEXTS in line.text]
        if len(found) > before:
            counts = found[-1].partition(_CONTEXTS)[2]
            return {kind: int(count) for kind, count in re.findall(r"(\w+) (\d+)", counts)}
    raise Failed("the TKM does not report what it holds")
