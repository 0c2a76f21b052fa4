# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep this process's memory to itself."""

import ctypes
import logging
import os

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


def protect() -> None:
    """No core dump, no debugger of the same user, no page that goes to a swap device."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        log.warning("Core dumps stay possible: %s", os.strerror(ctypes.get_errno()))
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        log.warning("Memory is not locked: %s", os.strerror(ctypes.get_errno()))
