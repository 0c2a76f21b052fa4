# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines and frames as they come: the lab reports them, nobody polls.

Both end when the descriptor `end` becomes readable, if one is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from lab.client.status import CaptureFile, LogLine

if TYPE_CHECKING:
    from lab.client.lab import Lab


def lines(
    lab: Lab,
    node: str | None = None,
    daemon: str | None = None,
    since: int = 0,
    end: int | None = None,
) -> Iterator[LogLine]:
    """What a daemon, or all of them, prints on a node, or on all; first what was printed by now.

    Raises LabError; Hangup when the lab ends.
    """
    request = {"do": "logs", "node": node or "", "daemon": daemon or "", "since": since}
    with closing(lab.watch(request | {"follow": True}, end=end)) as messages:
        for message in messages:
            yield from (LogLine(*line) for line in message.body["lines"])


def frames(
    lab: Lab,
    link: str | None = None,
    since: int = 0,
    seconds: float | None = None,
    end: int | None = None,
) -> Iterator[CaptureFile]:
    """What is sent on a link, or on all; first what was sent by now.

    Raises LabError; Hangup when the lab ends; TimeoutError after so many seconds.
    """
    request = {"do": "capture", "link": link or "", "since": since, "follow": True}
    with closing(lab.watch(request, seconds, end)) as messages:
        for message in messages:
            yield CaptureFile.of(message.body, message.octets)
