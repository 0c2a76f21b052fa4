# SPDX-License-Identifier: GPL-2.0-or-later
"""Become an ordinary user who may bind ports, and nothing else.

It takes a privileged process to exempt its sockets from IPsec policies, so the daemon starts as
root, and steps down before it hears the first octet from anybody. What it keeps is
CAP_NET_BIND_SERVICE, for addresses that a control client adds. There is no way back: not by a
program that it might execute either.
"""

import contextlib
import ctypes
import errno
import logging
import os
import pwd
import struct
from typing import Final

from ike.errors import ConfigError

log = logging.getLogger("ike")

_PR_CAPBSET_DROP: Final = 24
_PR_SET_KEEPCAPS: Final = 8
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITIES: Final = 64
_NET_BIND_SERVICE: Final = 10
_VERSION_3: Final = 0x20080522
_SETS: Final = struct.Struct("6I")
"""Twice struct __user_cap_data_struct (linux/capability.h): effective, permitted, inheritable."""


def drop(user: str) -> None:
    """Become ``user``, keeping CAP_NET_BIND_SERVICE alone.

    Where the user namespace has no such user, as in a container that has but one, we stay who we
    are; the capabilities go all the same, and with them what makes root different from others.

    :raises ConfigError: there is no such user, or we may not become another.
    """
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"there is no user {user}; see --user") from None
    if os.geteuid() != 0:
        raise ConfigError(f"only root can become {user}; start as {user}, without --user")
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(_CAPABILITIES):
        if number != _NET_BIND_SERVICE:
            libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)  # most of them do not exist
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    name = user if _become(entry.pw_uid, entry.pw_gid) else f"user {os.geteuid()}"
    _keep(libc, 1 << _NET_BIND_SERVICE)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    log.info("running as %s, who may bind ports and nothing else", name)


def _become(uid: int, gid: int) -> bool:
    """Be that user, if there is one here."""
    with contextlib.suppress(PermissionError):  # a namespace where groups cannot be changed
        os.setgroups([])
    try:
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        log.warning("user %d is not in this user namespace", uid)
        return False
    return True


def _keep(libc: ctypes.CDLL, capabilities: int) -> None:
    """Have these capabilities from now on, and no others.

    :raises OSError: the kernel refuses.
    """
    header = struct.pack("Ii", _VERSION_3, 0)
    if libc.capset(header, _SETS.pack(capabilities, capabilities, 0, 0, 0, 0)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "capabilities")
