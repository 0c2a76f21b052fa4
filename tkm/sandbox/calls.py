# SPDX-License-Identifier: GPL-2.0-or-later
"""Which system calls a daemon may make once it has started, as tables.

What is in no table is refused: no program is executed, no process made, traced or signalled, and no
memory becomes executable. Sources of the numbers: asm/unistd_64.h (x86-64) and
asm-generic/unistd.h (aarch64) of the kernel.
"""

import fcntl
import mmap
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple


class Rule(NamedTuple):
    """The low 32 bits of an argument, masked, are one of these values."""

    argument: int
    mask: int
    values: tuple[int, ...]


Calls = dict[str, Rule | None]
"""System calls that are allowed: always, or where a rule holds."""

_ALL: Final = 0xFFFFFFFF
_FIONBIO, _TCGETS = 0x5421, 0x5401
"""ioctl(2): what Python makes a socket non-blocking with, and what it asks of a file at first."""


def _one_of(argument: int, *values: int) -> Rule:
    return Rule(argument, _ALL, values)


_NOT_EXECUTABLE: Final = Rule(2, mmap.PROT_EXEC, (0,))

DAEMON: Final[Calls] = {
    # In the order of how often they are made: the kernel looks through them from the first on.
    **dict.fromkeys(
        (
            *("epoll_wait", "epoll_pwait", "recvfrom", "sendto", "read", "write", "futex"),
            *("clock_gettime", "getrandom", "close", "accept4", "accept", "epoll_ctl"),
            *("munmap", "mremap", "brk", "madvise", "getsockopt", "getsockname", "getpeername"),
            *("recvmsg", "sendmsg", "readv", "writev", "shutdown", "poll", "ppoll"),
            *("select", "pselect6", "lseek", "newfstatat", "fstat", "stat", "lstat", "statx"),
            *("rt_sigreturn", "rt_sigaction", "rt_sigprocmask", "sigaltstack", "restart_syscall"),
            *("getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "sched_yield"),
            *("clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time"),
            *("unlink", "unlinkat", "exit", "exit_group"),
        )
    ),
    "mmap": _NOT_EXECUTABLE,
    "mprotect": _NOT_EXECUTABLE,
    "ioctl": _one_of(1, _FIONBIO, _TCGETS),
    "fcntl": _one_of(
        1, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_SETFL, fcntl.F_DUPFD_CLOEXEC
    ),
}
"""What every daemon needs: its loop, its memory, its clients, its end."""

UNIX_CLIENT: Final[Calls] = {
    "socket": _one_of(0, socket.AF_UNIX),
    "connect": None,
    "setsockopt": None,
}
"""To connect to another server, when the one before has ended."""

NETWORK: Final[Calls] = {
    **UNIX_CLIENT,
    "socket": _one_of(0, socket.AF_UNIX, socket.AF_INET, socket.AF_INET6),
    "bind": None,
    "uname": None,
}
"""To take datagrams at further addresses."""

READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_LIST_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_DIRECTORY
READER: Final[Calls] = {
    "openat": _one_of(2, READ_FLAGS, _LIST_FLAGS, os.O_RDONLY | os.O_CLOEXEC),
    **dict.fromkeys(("readlink", "readlinkat", "getcwd", "getdents64")),
}
"""To find files, and open them to be read."""


def reopening(flags: Iterable[int]) -> Calls:
    """To open files with exactly these flags of open(2)."""
    values = tuple(flags)
    return {"openat": _one_of(2, *values)} if values else {}


NUMBERS: Final[Mapping[str, tuple[int | None, int | None]]] = {
    "accept": (43, 202),
    "accept4": (288, 242),
    "bind": (49, 200),
    "brk": (12, 214),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "close": (3, 57),
    "connect": (42, 203),
    "epoll_ctl": (233, 21),
    "epoll_pwait": (281, 22),
    "epoll_wait": (232, None),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fcntl": (72, 25),
    "fstat": (5, 80),
    "futex": (202, 98),
    "getcwd": (79, 17),
    "getdents64": (217, 61),
    "getegid": (108, 177),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getpeername": (52, 205),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "getuid": (102, 174),
    "ioctl": (16, 29),
    "lseek": (8, 62),
    "lstat": (6, None),
    "madvise": (28, 233),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "newfstatat": (262, 79),
    "openat": (257, 56),
    "poll": (7, None),
    "ppoll": (271, 73),
    "pselect6": (270, 72),
    "read": (0, 63),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "restart_syscall": (219, 128),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "select": (23, None),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "setsockopt": (54, 208),
    "shutdown": (48, 210),
    "sigaltstack": (131, 132),
    "socket": (41, 198),
    "stat": (4, None),
    "statx": (332, 291),
    "time": (201, None),
    "uname": (63, 160),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "write": (1, 64),
    "writev": (20, 66),
}
"""On x86-64 and on aarch64; ``None``: there is no such call."""
