# SPDX-License-Identifier: GPL-2.0-or-later
"""What the shell proposes behind Tab: labs, nodes, daemons, links, topologies.

    eval "$(_TKM_LAB_COMPLETE=bash_source tkm-lab)"

Whatever goes wrong, it proposes nothing: a word that is being typed is no time for complaints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.client.status import Status

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _of_status(names: Callable[[Status, click.Context], Iterable[str]]) -> Complete:
    """Names that are found in the lab that is meant."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
        from lab.client import which
        from lab.client.lab import Lab

        try:
            status = Lab.connect(which.chosen(None, context.params.get("name"))).status()
        except LabError:
            return []
        return [name for name in names(status, context) if name.startswith(begun)]

    return complete


def _daemons_of_node(status: Status, context: click.Context) -> Iterable[str]:
    nodes = [node for node in status.nodes if node.name == context.params.get("node")]
    return [daemon.name for node in nodes for daemon in node.daemons]


nodes = _of_status(lambda status, _: [node.name for node in status.nodes])
links = _of_status(lambda status, _: status.links)
daemons = _of_status(_daemons_of_node)


def labs(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """Labs that are up."""
    from lab.client import rendezvous

    return [name for name in rendezvous.names() if name.startswith(begun)]


def scenarios(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Those that come with the lab; files, as soon as it looks like one."""
    from lab.scenario.model import shipped

    return _or_files(shipped(), begun)


def back_ends(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """Who can do IKE on a host."""
    from lab.build import backends

    return [name for name in backends.BACKENDS if name.startswith(begun)]


def ike(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """NODE=BACKEND for the nodes of the topology, or of the scenarios, that were named before."""
    from lab.build import backends

    choices = [f"{node}={name}" for node in _ike_nodes(context) for name in backends.BACKENDS]
    return [choice for choice in choices if choice.startswith(begun)]


def _ike_nodes(context: click.Context) -> list[str]:
    """The nodes that have a policy in what the words before name."""
    from lab.scenario.model import load as load_scenario
    from lab.topology import load

    given = context.params.get("topology"), *(context.params.get("names") or ())
    words = [*filter(None, given), *context.args]  # click leaves words before an option unassigned
    try:
        if context.info_name == "run":
            plans = [load_scenario(word).topology for word in words]
        else:
            plans = [load(word) for word in words]
    except LabError:
        return []
    policies = [policy for plan in plans for policy in plan.policies]
    return list(dict.fromkeys(node for policy in policies for node in policy.between))


def topologies(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Those that come with the lab; files, as soon as it looks like one."""
    from lab.topology import shipped

    return _or_files(shipped(), begun)


def places(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """NODE: of the lab that is meant, and files."""
    return _or_files([f"{node}:" for node in nodes(context, parameter, begun)], begun)


def _or_files(names: Iterable[str], begun: str) -> list[CompletionItem]:
    ours = [name for name in names if name.startswith(begun)]
    if "/" in begun or not ours:
        return [CompletionItem(begun, type="file")]
    return [CompletionItem(name) for name in ours]
