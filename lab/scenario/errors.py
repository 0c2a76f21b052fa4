# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong with a scenario.

`ScenarioError` is the author's fault (exit code 2), `CouldNotRun` that of the machine (3). The
other two are how a step reports that it has not come true: for now, or for good (1).
"""

from __future__ import annotations

from lab.errors import LabError, UsageError


class ScenarioError(UsageError):
    """A scenario is not usable."""


class CouldNotRun(LabError):
    """This machine, or a peer's version, lacks what the scenario needs: it proves nothing."""

    exit_code = 3


class NotYet(LabError):
    """What a step waits for does not hold yet; the text says what is there instead."""


class Failed(LabError):
    """What a step wants does not hold, and waiting would not help."""
