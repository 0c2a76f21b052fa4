# SPDX-License-Identifier: GPL-2.0-or-later
"""``link``: how bad a link is, while the lab runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from lab.cli import complete
from lab.cli.common import json_option, lab_option, print_json, the_lab
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.client.status import Disturbance, Status


class _Amount(click.ParamType[float]):
    """A number, with or without its unit."""

    def __init__(self, unit: str) -> None:
        self.name = f"N{unit}"
        self._unit = unit

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return float(str(value).removesuffix(self._unit))
        except ValueError:
            self.fail(
                f"{value!r} is not a number of {self._unit}, such as 10{self._unit}", param, ctx
            )


def _amount(name: str, unit: str, text: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}", type=_Amount(unit), default=0.0, help=text)


@click.command(short_help="Make a link bad, cut it, or make it whole.")
@lab_option
@click.argument("link", required=False, shell_complete=complete.links)
@_amount("loss", "%", "Of the frames are lost.")
@_amount("delay", "ms", "Each frame takes longer.")
@_amount("jitter", "ms", "By which the delay varies.")
@_amount("reorder", "%", "Overtake the delayed others.")
@_amount("duplicate", "%", "Arrive twice.")
@click.option("--rate", metavar="RATE", default="", help="At most, such as 10mbit.")
@click.option("--towards", multiple=True, metavar="NODE", help="Only what this host receives.")
@click.option("--down", "carrier", flag_value="down", help="Unplug it.")
@click.option("--up", "carrier", flag_value="up", help="Plug it in again.")
@click.option("--heal", is_flag=True, help="Whole again: no loss, no delay, plugged in.")
@json_option
def link(
    name: str | None,
    link: str | None,
    towards: tuple[str, ...],
    carrier: str | None,
    heal: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Change LINK, for all its hosts or for one. Without an option: show what is wrong with it.

    New values take the place of all earlier ones.

    \b
      tkm-lab link wire --loss 10% --delay 50ms
      tkm-lab link wire --down
      tkm-lab link wire --heal
    """
    from lab.topology.impairment import Impairment

    lab = the_lab(name)
    status = lab.status()
    change = Impairment(**values)
    if fault := change.fault():
        raise UsageError(fault)
    if change.netem or carrier or heal:
        if link is None:
            raise UsageError(f"which link? there is: {', '.join(status.links)}")
        if heal and (change.netem or carrier):
            raise UsageError("--heal makes the link whole: leave the other options out")
        nodes = [node for node in _nodes(status, link) if not towards or node in towards]
        if unknown := set(towards) - set(nodes):
            raise UsageError(f"{', '.join(sorted(unknown))} is not on {link}")
        netem = change.netem if change.netem or heal else None
        down = None if not (carrier or heal) else carrier == "down"
        lab.disturb(link, nodes, netem=netem, down=down, cut=False if heal else None)
        status = lab.status()
    links = status.links if link is None else (link,)
    if as_json:
        shown = [dataclasses.asdict(one) for one in status.disturbances if one.link in links]
        print_json(shown)
        return
    for one in links:
        _show(one, _nodes(status, one), status.disturbances)


def _nodes(status: Status, link: str) -> list[str]:
    """The hosts on a link.

    Raises UsageError: there is no such link.
    """
    if link not in status.links:
        raise UsageError(f"there is no link {link}; there is: {', '.join(status.links)}")
    return [n.name for n in status.nodes if any(i.link == link for i in n.interfaces)]


def _show(link: str, nodes: Iterable[str], disturbances: Iterable[Disturbance]) -> None:
    found = {one.node: one for one in disturbances if one.link == link}
    for node in nodes:
        click.echo(f"{link}  {node}  {found.get(node) or 'whole'}")
