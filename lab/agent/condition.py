# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for what is yet to happen, without looking again and again."""

from __future__ import annotations

import asyncio


class Condition:
    """Wakes all who wait. Who asks for `next` before looking at what is there misses nothing."""

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None

    def next(self) -> asyncio.Event:
        """What is set as soon as there is more."""
        if self._event is None:
            self._event = asyncio.Event()
        return self._event

    def notify(self) -> None:
        """There is more."""
        if self._event is not None:
            self._event.set()
            self._event = None
