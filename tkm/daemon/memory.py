# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep this process's memory to itself."""

import contextlib
import ctypes
import logging
import os
import resource

from tkm.sandbox import privileges

log = logging.getLogger(__name__)

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_ENDLESS = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def protect() -> None:
    """No core dump, no debugger of the same user, no page that goes to a swap device.

    That holds for memory to come, too: with the limit gone, it needs no capability.
    """
    privileges.forbid_dumps()
    with contextlib.suppress(OSError, ValueError):  # without CAP_SYS_RESOURCE
        resource.setrlimit(resource.RLIMIT_MEMLOCK, _ENDLESS)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        log.warning("Memory is not locked: %s", os.strerror(ctypes.get_errno()))


def capabilities() -> tuple[int, ...]:
    """What locked memory goes on needing: nothing, unless the limit could not be raised."""
    limits = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return () if limits == _ENDLESS else (privileges.IPC_LOCK,)
