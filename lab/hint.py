# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands in messages: what a person pastes into a shell does what the message promises."""

from __future__ import annotations

import shlex


def command(lab: str, verb: str, *words: str) -> str:
    """A tkm-lab command that means a certain lab, whichever others are up.

    Args:
        lab: its name.
        verb: the command, such as `check`.
        words: its arguments, not quoted yet.
    """
    return shlex.join(["tkm-lab", verb, "--lab", lab, *words])


def rebuild(lab: str) -> str:
    """What to do with a lab that is beyond repair."""
    return f"end it with '{command(lab, 'down')}' and build it again"
