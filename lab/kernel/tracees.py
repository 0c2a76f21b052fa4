# SPDX-License-Identifier: GPL-2.0-or-later
"""User-Mode Linux whose processes die with it, for hosts without PID namespaces.

User-Mode Linux runs each process of its guest in a traced process of the host. If it is killed,
Linux lets the traced processes go on, and their next system calls are the host's. In a PID
namespace they die with its PID 1; without one they must be killed by the kernel: that is what
PTRACE_O_EXITKILL asks for (ptrace(2)). Linux before 6.13 does not ask for it, so a private copy of
the program does, see `lab.kernel.registers`.
"""

from __future__ import annotations

import re

_EXITKILL = 1 << 20
_TRACESYSGOOD = 1
_PLACE = re.compile(
    rb"\xb9(?P<options>\x01\x00\x00\x00)\x89\xde(?:\x49\xb8.{8})?\xbf\x15\x00\x00\x00", re.DOTALL
)
"""`mov $PTRACE_O_TRACESYSGOOD, %ecx`, the PID, perhaps the function's address, then
`mov $PTRACE_OLDSETOPTIONS, %edi`."""
_PLACES = 2
"""A process of the guest is made from nothing, or as a copy of another."""


def dying_with_tracer(image: bytes) -> bytes | None:
    """The program with the option added wherever it traces a process; None: not found."""
    places = [match.start("options") for match in _PLACE.finditer(image)]
    if len(places) != _PLACES:
        return None
    options = (_TRACESYSGOOD | _EXITKILL).to_bytes(4, "little")
    for at in places:
        image = image[:at] + options + image[at + 4 :]
    return image
