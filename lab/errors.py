# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong in a lab.

One tree, two families: `UsageError` is the caller's fault (exit code 2), every other `LabError`
is the lab refusing (exit code 1). The text of an error is one line for a person, and names what
to do next where there is something to do.
"""

from __future__ import annotations


class LabError(Exception):
    """The lab refuses."""

    exit_code = 1


class UsageError(LabError):
    """The caller asked for something that makes no sense."""

    exit_code = 2


class KernelError(LabError):
    """No kernel for the lab: none can do ESP, or the guest did not boot."""


class NameInUse(LabError):
    """A lab of this name is up already."""


class NotUp(LabError):
    """There is no lab of this name."""


class CannotExecute(LabError):
    """A command cannot be executed in a node: it is not executable, or the system refuses it."""

    shell_code = 126
    """With which a shell would end (POSIX, Shell Command Language, 2.8.2)."""


class CommandNotFound(CannotExecute):
    """There is no such command in the node."""

    shell_code = 127


class Hangup(LabError):
    """The lab ended while we were talking to it."""
