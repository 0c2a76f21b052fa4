# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lab a command means, and how a command is written so that it means a certain lab."""

from __future__ import annotations

import os
import shlex

from lab import hint
from lab.client import rendezvous
from lab.errors import NotUp, UsageError

VARIABLE = "TKM_LAB"
"""Of the environment: the lab that is meant where a command names none."""


def chosen(argument: str | None, option: str | None = None) -> str:
    """The name of the lab that is meant: by its argument, --lab, TKM_LAB, or the only one up.

    Raises:
        NotUp: none is named, and none is up.
        UsageError: none is named and several are up; argument and option differ; or what is named
            cannot be the name of a lab.
    """
    if argument is not None and option is not None and argument != option:
        raise UsageError(f"the lab is both {argument} and --lab {option}: name one")
    named = argument if argument is not None else option
    if named is None:
        named = os.environ.get(VARIABLE) or None
    if named is not None:
        rendezvous.check_name(named)
        return named
    names = rendezvous.names()
    if not names:
        raise NotUp("no lab is up: tkm-lab up two-hosts")
    if len(names) > 1:
        raise UsageError(f"several labs are up ({', '.join(names)}): say which with --lab")
    return names[0]


def command(lab: str, verb: str, *words: str) -> str:
    """A tkm-lab command to be pasted into a shell: it names the lab unless it is the only one."""
    alone = rendezvous.names() in ([], [lab]) and os.environ.get(VARIABLE, "") in ("", lab)
    return shlex.join(["tkm-lab", verb, *words]) if alone else hint.command(lab, verb, *words)
