# SPDX-License-Identifier: GPL-2.0-or-later
"""What a daemon gives up once it has all that it needs.

Nothing of ours is imported here: the daemons of both sides, trusted and untrusted, confine
themselves by this package.
"""

from argparse import ArgumentParser
from typing import Final

from tkm.sandbox import seccomp
from tkm.sandbox.calls import Calls

ENFORCE: Final = "enforce"
OFF: Final = "off"


def add_option(parser: ArgumentParser) -> None:
    """The option by which a person switches it off."""
    parser.add_argument(
        "--sandbox", choices=(ENFORCE, OFF), default=ENFORCE,
        help="once started, allow this process no system calls but those that it needs, where the "
        "kernel can do that (%(default)s)",
    )  # fmt: skip


def enter(choice: str, calls: Calls) -> str:
    """Allow these system calls and no others from now on; return one line about what is in force.

    Privileges have been given up before, and with them the right to gain new ones.

    Raises:
        OSError: the kernel refuses, though it can do it.
    """
    if choice == OFF:
        return "off: all system calls are allowed (--sandbox off)"
    if not seccomp.install(calls):
        return "off: this kernel cannot filter system calls, or we do not know its numbers"
    return f"enforced: {len(calls)} system calls are allowed"
