# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab's life: ``up``, ``down``, and whether this machine can have one, ``doctor``."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from lab.cli import complete
from lab.cli.common import (
    ike_option,
    json_option,
    lab_option,
    lab_option_as,
    platform_options,
    print_json,
    the_lab,
)
from lab.errors import NotUp, UsageError

if TYPE_CHECKING:
    from lab.build.builder import Identities
    from lab.build.files import File
    from lab.kernel.platform import Platform

_EXPOSED = (
    "IKE keys are exposed: each Key Manager writes them to a file of its host. Whoever reads it "
    "reads and forges IKE messages; this lab shows nothing of what the Key Manager is for."
)


@click.command(short_help="Build a lab from a topology.")
@click.argument("topology", shell_complete=complete.topologies)
@click.option("--name", metavar="NAME", help="Of the lab; else that of the topology.")
@platform_options
@click.option(
    "--set", "parameters", multiple=True, metavar="NAME=NUMBER", help="A topology's parameter."
)
@ike_option
@click.option(
    "--expose-ike-keys",
    is_flag=True,
    help="Let IKE keys leave the Key Managers, for capture --keys: the split is off.",
)
@json_option
def up(
    topology: str,
    name: str | None,
    platform: Platform,
    parameters: tuple[str, ...],
    ike: tuple[str, ...],
    expose_ike_keys: bool,
    as_json: bool,
) -> None:
    """Build a lab from TOPOLOGY: one of `tkm-lab topologies`, or the path of a file.

    Or from the folder of a lab that `tkm-lab save` has written: the same hosts with the same
    configurations and credentials.
    """
    from lab.build import backends, builder, saved
    from lab.cli import show
    from lab.client import rendezvous
    from lab.topology import load, settings

    identities = None
    if saved.is_saved(folder := Path(topology)):
        if parameters or ike:
            raise UsageError(f"{topology} is a saved lab: it takes neither --set nor --ike")
        plan, files, exposed = saved.load(folder)
        identities = _fixed(files)
        expose_ike_keys = expose_ike_keys or exposed
    else:
        plan = backends.assign(load(topology, settings(parameters)), ike)
    name = plan.name if name is None else name
    rendezvous.check_name(name)
    steps: list[builder.Step] = []
    began = time.monotonic()

    def report(step: builder.Step) -> None:
        steps.append(step)
        if not as_json:
            show.step(step)

    with show.busy(f"building {name}"):
        builder.up(
            *(plan, name),
            report=report,
            identities=identities,
            expose_ike_keys=expose_ike_keys,
            as_saved=identities is not None,
            **platform._asdict(),
        )
    seconds = time.monotonic() - began
    if as_json:
        print_json({"lab": name, "seconds": seconds, "steps": [s._asdict() for s in steps]})
    else:
        show.up(name, seconds, plan.talkers() or tuple(plan.nodes))
    if expose_ike_keys:
        show.hint(_EXPOSED)


def _fixed(files: Mapping[str, Mapping[str, File]]) -> Identities:
    """The files of a saved lab in the place of new identities."""
    return lambda _, __: dict(files)


@click.command(short_help="Write a lab into a folder, to hand it on.")
@lab_option
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def save(name: str | None, folder: Path) -> None:
    """Write topology, configurations and credentials of the lab into the new folder DIR.

    `tkm-lab up DIR` builds it again, here or elsewhere. The private keys of its hosts are in the
    folder, which only you can read.
    """
    from lab.build import saved
    from lab.cli import show

    saved.save(the_lab(name), folder)
    show.hint(f"tkm-lab up {shlex.quote(str(folder))} builds it again")


@click.command(short_help="End a lab; nothing of it stays.")
@click.argument("name", required=False, metavar="[LAB]", shell_complete=complete.labs)
@lab_option_as("option")
@click.option("--all", "every", is_flag=True, help="All labs of this user.")
def down(name: str | None, option: str | None, every: bool) -> None:
    """End a lab; nothing of it stays. One that is not up is fine."""
    from lab.client import rendezvous, which
    from lab.client.lab import Lab

    found = rendezvous.names()
    if every and (name is not None or option is not None):
        raise UsageError("--all ends all labs: name none, or leave --all out")
    try:
        names = found if every else [which.chosen(name, option)]
    except NotUp:
        names = []
    for each in names:
        Lab(each).down()
        click.echo(f"{each} is down" if each in found else f"{each} is not up")
    if not names:
        click.echo("no lab is up")


@click.command(short_help="What this machine can do, and how to fix the rest.")
@json_option
def doctor(as_json: bool) -> None:
    """Find out which kernels a lab can have here; report what is missing and how to fix it."""
    from lab.cli import show
    from lab.kernel.probe import choose, examine

    findings = examine()
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        show.doctor(findings)
    choice = choose()
    if not as_json:
        show.prose(escape(f"A lab here runs on {choice.kernel}: {choice.reason}."))
