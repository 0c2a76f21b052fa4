# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of ``tkm-lab``.

Exit codes: 0 good, 1 the lab says no, 2 wrong use; ``exec``, ``shell`` and ``ping`` give those of
the command that they run. Output for programs: ``--json``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from lab.errors import LabError, NotUp, UsageError

if TYPE_CHECKING:
    from lab.client import Lab

F = TypeVar("F", bound=Callable[..., Any])

_EPILOG = "Exit codes: 0 good, 1 the lab says no, 2 wrong use."


class _Cli(click.Group):
    """Commands whose errors are one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as trouble:
            _fail(str(trouble), trouble.exit_code)
        except KeyboardInterrupt:
            _fail("interrupted", 130)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)


def _fail(text: str, code: int) -> NoReturn:
    from lab.cli import show

    show.trouble(text)
    sys.exit(code)


lab_option: Callable[[F], F] = click.option(
    "--lab", "name", metavar="NAME", envvar="TKM_LAB", help="Which lab, if several are up."
)
json_option: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, help="For programs."
)


@click.group(cls=_Cli, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tkm-lab", message="%(prog)s %(version)s")
def cli() -> None:
    """IPsec in a box: hosts with real kernels, IKEv2 with a Trusted Key Manager, and proof."""


@cli.command(short_help="Build a lab from a topology.")
@click.argument("topology")
@click.option("--name", metavar="NAME", help="Of the lab; else that of the topology.")
@click.option(
    "--kernel",
    type=click.Choice(["auto", "host", "uml"]),
    default="auto",
    show_default=True,
    help="This host's, User-Mode Linux, or whichever can do ESP.",
)
@json_option
def up(topology: str, name: str | None, kernel: str, as_json: bool) -> None:
    """Build a lab from TOPOLOGY: one of `tkm-lab topologies`, or the path of a file."""
    from lab import build
    from lab.cli import show
    from lab.topology import load

    plan = load(topology)
    name = name or plan.name
    steps: list[build.Step] = []
    began = time.monotonic()

    def report(step: build.Step) -> None:
        steps.append(step)
        if not as_json:
            show.step(step)

    with show.busy(f"building {name}"):
        build.up(plan, name, kernel, report)
    seconds = time.monotonic() - began
    if as_json:
        _print_json({"lab": name, "seconds": seconds, "steps": [s._asdict() for s in steps]})
    else:
        show.up(name, seconds, list(plan.nodes))


@cli.command(short_help="End a lab; nothing of it stays.")
@click.argument("name", required=False, metavar="[LAB]")
@click.option("--all", "every", is_flag=True, help="All labs of this user.")
def down(name: str | None, every: bool) -> None:
    """End a lab; nothing of it stays. One that is not up is fine."""
    from lab.client import Lab

    found = [summary.name for summary in Lab.all()]
    if every:
        names = found
    elif name is not None:
        names = [name]
    else:
        if len(found) > 1:
            raise UsageError(f"several labs are up ({', '.join(found)}): name one, or --all")
        names = found
    for each in names:
        Lab(each).down()
        click.echo(f"{each} is down" if each in found else f"{each} is not up")
    if not names:
        click.echo("no lab is up")


@cli.command(short_help="Hosts, daemons, ESP states.")
@lab_option
@json_option
def status(name: str | None, as_json: bool) -> None:
    """Show a lab's hosts, daemons and ESP states; all labs, if several are up."""
    from lab.cli import show
    from lab.client import Lab

    summaries = Lab.all()
    if name is None and len(summaries) != 1:
        if as_json:
            _print_json({"labs": [dataclasses.asdict(summary) for summary in summaries]})
        elif summaries:
            show.labs(summaries)
        else:
            click.echo("no lab is up: tkm-lab up two-hosts")
        return
    lab = _lab(name)
    state = lab.status()
    tables = {node.name: lab.states(node.name) for node in state.nodes}
    if as_json:
        _print_json(_status_json(state, tables))
    else:
        show.status(state, tables)


@cli.command(name="exec", short_help="Run a command in a node.")
@lab_option
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(name: str | None, node: str, command: tuple[str, ...]) -> None:
    """Run COMMAND in NODE: tkm-lab exec alice -- ip -s xfrm state"""
    sys.exit(_lab(name).run(node, command, stdin=sys.stdin.buffer))


@cli.command(short_help="A shell in a node.")
@lab_option
@click.argument("node")
def shell(name: str | None, node: str) -> None:
    """Open a shell in NODE."""
    sys.exit(_lab(name).run(node, ["bash", "-i"], stdin=sys.stdin.buffer, tty=True))


@cli.command(short_help="Send echo requests from one node to another.")
@lab_option
@click.option("-c", "--count", default=4, show_default=True, help="How many replies to wait for.")
@click.argument("source")
@click.argument("destination")
def ping(name: str | None, count: int, source: str, destination: str) -> None:
    """Send echo requests from SOURCE to DESTINATION, a node's name or an address."""
    lab = _lab(name)
    address = _address(lab, destination)
    command = ["ping", "-n", "-i", "0.2", "-c", str(count), "-w", str(10 + count), address]
    sys.exit(lab.run(source, command))


@cli.command(short_help="Prove on the wire that traffic goes through ESP.")
@lab_option
@json_option
def check(name: str | None, as_json: bool) -> None:
    """Send messages between all hosts that have a policy, and prove that ESP carried them."""
    from lab import check as checking
    from lab.cli import show

    with show.busy("looking at the policies") as report:
        proofs = checking.check(_lab(name), report)
    if as_json:
        _print_json({p.link: p.verdict.to_json() | {"lost": p.lost} for p in proofs})
    else:
        show.proofs(proofs)
    sys.exit(0 if all(proof.verdict.ok for proof in proofs) else 1)


@cli.command(short_help="What the daemons of a node have logged.")
@lab_option
@click.argument("node")
@click.argument("daemon", required=False)
@json_option
def logs(name: str | None, node: str, daemon: str | None, as_json: bool) -> None:
    """Show what DAEMON, or all daemons, of NODE have logged."""
    from lab.cli import show

    lines = _lab(name).logs(node, daemon)
    if as_json:
        _print_json([dataclasses.asdict(line) for line in lines])
    else:
        show.logs(lines, several=daemon is None)


@cli.command(short_help="What this machine can do, and what mends it.")
@json_option
def doctor(as_json: bool) -> None:
    """Find out which kernels a lab can have here; say what is missing and what mends it."""
    from lab.cli import show
    from lab.kernel.probe import choose, examine

    findings = examine()
    if as_json:
        _print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        show.doctor(findings)
    choice = choose()
    if not as_json:
        click.echo(f"A lab here runs on {choice.kernel}: {choice.reason}.")


@cli.command(short_help="The topologies that come with the lab.")
@json_option
def topologies(as_json: bool) -> None:
    """List the topologies that come with the lab."""
    from lab.cli import show
    from lab.topology import load, shipped

    found = [load(name) for name in shipped()]
    if as_json:
        rows = ({"name": t.name, "title": t.title, "nodes": list(t.nodes)} for t in found)
        _print_json(list(rows))
    else:
        show.topologies(found)


def _lab(name: str | None) -> Lab:
    """The lab of that name, or the only one.

    Raises NotUp, UsageError.
    """
    from lab.client import Lab

    if name is None:
        names = [summary.name for summary in Lab.all()]
        if not names:
            raise NotUp("no lab is up: tkm-lab up two-hosts")
        if len(names) > 1:
            raise UsageError(f"several labs are up ({', '.join(names)}): say which with --lab")
        (name,) = names
    return Lab.connect(name)


def _address(lab: Lab, destination: str) -> str:
    """The first address of a node; an address is its own.

    Raises UsageError: it is neither, or the node has none.
    """
    with contextlib.suppress(ValueError):
        return str(ip_address(destination))
    nodes = {node.name: node for node in lab.status().nodes}
    if destination not in nodes:
        there = ", ".join(nodes)
        raise UsageError(f"{destination} is no address and no node in this lab; there is: {there}")
    for interface in nodes[destination].interfaces:
        for address in interface.addresses:
            return address.partition("/")[0]
    raise UsageError(f"{destination} has no address")


def _status_json(state: Any, tables: Any) -> dict[str, Any]:
    """A status without its keys."""
    told = dataclasses.asdict(state)
    for node in told["nodes"]:
        node["esp_states"] = [
            {
                "src": sa.src,
                "dst": sa.dst,
                "spi": f"{sa.spi:08x}",
                "reqid": sa.reqid,
                "mode": sa.mode,
                "packets": sa.packets,
                "octets": sa.octets,
            }
            for sa in tables[node["name"]].states
            if sa.spi
        ]
    return told


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


def main(arguments: Sequence[str] | None = None) -> None:
    """The program; it ends with SystemExit."""
    cli(arguments, prog_name="tkm-lab")
