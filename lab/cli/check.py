# SPDX-License-Identifier: GPL-2.0-or-later
"""``check``: the proof on the wire."""

from __future__ import annotations

import sys

import click

from lab.cli.common import json_option, lab_option, print_json, the_lab


@click.command(short_help="Prove on the wire that traffic goes through ESP.")
@lab_option
@json_option
def check(name: str | None, as_json: bool) -> None:
    """Send messages between all hosts that have a policy, and prove that ESP carried them."""
    from lab.check import checker as checking
    from lab.cli import show

    lab = the_lab(name)
    with show.busy("looking at the policies") as report:
        proofs = checking.check(lab, report)
    whole = checking.whole(proofs)
    if as_json:
        links = {p.link: p.verdict.to_json() | {"lost": p.lost} for p in proofs}
        print_json(whole._asdict() | {"links": links})
    else:
        show.proofs(lab.name, proofs, whole)
    sys.exit(0 if whole.ok else 1)
