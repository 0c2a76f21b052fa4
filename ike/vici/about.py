# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that ask of the daemon itself."""

import os
import time

from ike.engine.states import State
from ike.message.numbers import Encryption, Integrity, KeMethod, Prf
from ike.vici.control import Control
from ike.vici.message import Section
from tkm import VERSION

_PRIORITIES = ("critical", "high", "medium", "low")
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_UNDER_WAY = (State.NEW, State.CONNECTING, State.AUTHENTICATING, State.HALF_OPEN)


def show_version(_control: Control, _request: Section) -> Section:
    """Which daemon this is, and what it runs on."""
    system = os.uname()
    return {
        "daemon": "tkm_iked",
        "version": VERSION,
        "sysname": system.sysname,
        "release": system.release,
        "machine": system.machine,
    }


def stats(control: Control, _request: Section) -> Section:
    """How long it runs, and what is going on; it is one worker, which answers just now."""
    running = control.clock() - control.started
    since = time.strftime("%b %d %H:%M:%S %Y", time.localtime(time.time() - running))
    states = [sa.state for sa in control.engine.sas()]
    half_open = sum(state in _UNDER_WAY for state in states)
    none: Section = dict.fromkeys(_PRIORITIES, "0")
    return {
        "uptime": {"running": _spell(int(running)), "since": since},
        "workers": {"total": "1", "idle": "0", "active": {**none, "medium": "1"}},
        "queues": none,
        "scheduled": "0" if control.engine.next_timer() is None else "1",
        "ikesas": {"total": str(len(states)), "half-open": str(half_open)},
        "plugins": [],
    }


def _spell(seconds: int) -> str:
    """A span in the largest unit that it fills."""
    unit, size = next((pair for pair in _UNITS if seconds >= pair[1]), _UNITS[-1])
    count = seconds // size
    return f"{count} {unit}" + ("" if count == 1 else "s")


def algorithms(_control: Control, _request: Section) -> Section:
    """What proposals can be made of; the TKM does it all."""
    kinds = {
        "encryption": [member.name for member in Encryption],
        "integrity": [member.name for member in Integrity],
        "prf": [f"PRF_{member.name}" for member in Prf],
        "ke": [member.name for member in KeMethod if member is not KeMethod.NONE],
    }
    return {kind: dict.fromkeys(names, "tkm") for kind, names in kinds.items()}
