# SPDX-License-Identifier: GPL-2.0-or-later
"""Users and capabilities: become an ordinary user, and keep only the capabilities that are needed.

There is no way back: no_new_privs is set, so a program that the process might execute gets no
rights either, whatever its set-user-ID bit or file capabilities say (prctl(2), capabilities(7)).
"""

import contextlib
import ctypes
import errno
import os
import pwd
import struct
from argparse import ArgumentTypeError
from typing import Final, NamedTuple

NET_BIND_SERVICE: Final = 10
NET_ADMIN: Final = 12
IPC_LOCK: Final = 14
"""Numbers of capabilities (linux/capability.h)."""

_PR_SET_DUMPABLE: Final = 4
_PR_SET_KEEPCAPS: Final = 8
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITIES: Final = 64
_VERSION_3: Final = 0x20080522
_HEADER: Final = struct.pack("Ii", _VERSION_3, 0)
"""struct __user_cap_header_struct: this layout, this process."""
_SETS: Final = struct.Struct("6I")
"""Twice struct __user_cap_data_struct: effective, permitted, inheritable; low words first."""


class User(NamedTuple):
    """A user to become."""

    name: str
    uid: int
    gid: int


def user(text: str) -> User:
    """A user by name, or by number; a number that has no entry is its own group, too. A type for
    argparse.

    Raises:
        ArgumentTypeError: there is no such user.
    """
    with contextlib.suppress(KeyError):
        number = int(text) if text.isdecimal() else pwd.getpwnam(text).pw_uid
        with contextlib.suppress(KeyError):
            entry = pwd.getpwuid(number)
            return User(entry.pw_name, number, entry.pw_gid)
        return User(f"user {number}", number, number)
    raise ArgumentTypeError(f"there is no user '{text}'")


def user_id(text: str) -> int:
    """The number of a user, given as number or name. A type for argparse.

    Raises:
        ArgumentTypeError: there is no such user.
    """
    return user(text).uid


def give_up(target: User | None, *kept: int) -> str:
    """Become another user, if one is given, and keep only these capabilities, as far as we have
    them; return one line about what we are now.

    Where the user namespace does not have that user, as in a container with only one, we stay who
    we are; the capabilities go all the same, and with them what makes root different from others.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    capabilities = sum(1 << number for number in kept) & _permitted(libc)
    for number in range(_CAPABILITIES):
        if not capabilities >> number & 1:
            # Fails for numbers that do not exist; and without CAP_SETPCAP, where no_new_privs does.
            libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    who = f"user {os.geteuid()}"
    if target:
        _check(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
        if _become(target):
            who = target.name
        else:
            who += f", for user {target.uid} is not in this user namespace"
    low = capabilities & 0xFFFFFFFF
    _check(libc.capset(_HEADER, _SETS.pack(low, low, 0, 0, 0, 0)), "capabilities")
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    return f"{who}, {_describe(capabilities)}"


def forbid_dumps() -> None:
    """No core dump, and no debugger of the same user.

    The kernel sets this anew whenever a process changes its user: call it after that.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "core dumps")


def _permitted(libc: ctypes.CDLL) -> int:
    sets = ctypes.create_string_buffer(_SETS.size)
    _check(libc.capget(_HEADER, sets), "capabilities")
    _, permitted, *_ = _SETS.unpack(sets.raw)
    return int(permitted)


def _become(target: User) -> bool:
    """Be that user; ``False`` if this user namespace does not have it."""
    with contextlib.suppress(PermissionError):  # a namespace where groups cannot be changed
        os.setgroups([])
    try:
        os.setresgid(target.gid, target.gid, target.gid)
        os.setresuid(target.uid, target.uid, target.uid)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise OSError(error.errno, error.strerror, f"become {target.name}") from error
        return False
    return True


_NAMES: Final = {
    NET_BIND_SERVICE: "CAP_NET_BIND_SERVICE",
    NET_ADMIN: "CAP_NET_ADMIN",
    IPC_LOCK: "CAP_IPC_LOCK",
}


def _describe(capabilities: int) -> str:
    names = [name for number, name in _NAMES.items() if capabilities >> number & 1]
    return f"with {' and '.join(names)} alone" if names else "without capabilities"


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
