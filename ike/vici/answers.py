# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command gives: a message at once, a stream of events, or a job that takes its time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ike.engine.events import Event
from ike.vici.control import Control
from ike.vici.errors import Refused
from ike.vici.message import Section


def success(**more: str) -> Section:
    """The reply of a command that has worked."""
    return {"success": "yes", **more}


def failure(reason: str, **more: str) -> Section:
    """The reply of a command that has not."""
    return {"success": "no", **more, "errmsg": reason}


def value(request: Section, key: str, default: str = "") -> str:
    """A value of a request.

    Raises:
        Refused: It is a section or a list.
    """
    found = request.get(key, default)
    if not isinstance(found, str):
        raise Refused(f"{key} is not a value")
    return found


def number(request: Section, key: str, default: int = 0) -> int:
    """A value of a request that is a number.

    Raises:
        Refused: It is none.
    """
    text = value(request, key, str(default))
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise Refused(f"{key} is {text!r}, not a number")
    return int(text)


def is_set(request: Section, key: str) -> bool:
    """A switch of a request is on."""
    return value(request, key, "no") in ("yes", "true", "1")


class Stream(NamedTuple):
    """Events of one name, one after the other as fast as the client reads; then an empty reply."""

    event: str
    sections: Iterator[Section]


class Job(ABC):
    """A command that waits for something to happen.

    Attributes:
        reply: What came of it, as soon as that is known.
        deadline: When the client stops waiting.
        level: Log lines up to this level are sent as ``control-log`` events meanwhile.
    """

    def __init__(self, request: Section, now: float) -> None:
        timeout = number(request, "timeout")
        self.reply: Section | None = success() if timeout < 0 else None
        self.deadline = now + timeout / 1000 if timeout > 0 else None
        self.level = number(request, "loglevel", 1)

    @abstractmethod
    def begin(self, control: Control) -> None:
        """Do what has to be done; the client gets what is logged from now on.

        Raises:
            LocalError: It cannot be done.
        """

    @abstractmethod
    def take(self, event: Event) -> None:
        """Something has happened."""

    @abstractmethod
    def expire(self) -> None:
        """The deadline has passed."""


Answer = Section | Stream | Job
Handler = Callable[[Control, Section], Answer]
