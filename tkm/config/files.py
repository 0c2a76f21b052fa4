# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that decide whom the TKM trusts: only root and its own user may be able to change them."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from tkm.errors import ConfigError
from tkm.sandbox.calls import READ_FLAGS

LONGEST: Final = 1 << 20
"""Octets of the longest file that is read: a hundred policies take a tenth of it."""

_UNMAPPED: Final = 65534
"""Whom the kernel shows in the place of users that a user namespace does not have."""
_ALL_USERS: Final = ["0", "0", "4294967295"]
"""The map of users where there is no user namespace."""


Opener = Callable[[Path], int]
"""Opens a file that nobody else can have changed; raises OSError or ConfigError."""


def open_trusted(file: Path) -> int:
    """A descriptor of a file, to read it.

    Raises:
        ConfigError: another user may change it.
        OSError: it cannot be opened.
    """
    check_owners(file)
    return os.open(file, READ_FLAGS)


def read(file: Path, opener: Opener = open_trusted) -> bytes:
    """The octets of a file that nobody else can have changed.

    Raises:
        ConfigError: another user may change it, or it is too long.
        OSError: it cannot be read.
    """
    with os.fdopen(opener(file), "rb") as stream:
        return _bounded(file, stream)


def read_bounded(file: Path) -> bytes:
    """The octets of a file, whoever may change it.

    Raises:
        ConfigError: it is too long.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        return _bounded(file, stream)


def _bounded(file: Path, stream: BinaryIO) -> bytes:
    octets = stream.read(LONGEST + 1)
    if len(octets) > LONGEST:
        raise ConfigError(f"'{file}' is longer than {LONGEST} octets")
    return octets


def check_owners(file: Path) -> None:
    """A file and the folders that lead to it belong to root or us, and others cannot write there.

    Folders with a sticky bit, as /tmp, are good: nobody can put another file in the place of ours.

    Raises:
        ConfigError: another user may change it.
        OSError: there is no such file.
    """
    trusted = _trusted_users()
    named, real = file.absolute(), file.resolve(strict=True)
    for place in dict.fromkeys((real, *real.parents, named, *named.parents)):
        status = place.stat()
        if status.st_uid not in trusted:
            raise ConfigError(
                f"'{place}' belongs to user {status.st_uid}, who may change what we trust: "
                f"chown {os.geteuid()} {place}"
            )
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
            raise ConfigError(f"'{place}' is writable by others: chmod go-w {place}")


def _trusted_users() -> set[int]:
    """Root and us; in a user namespace, root of the host is not mapped as a rule."""
    trusted = {0, os.geteuid()}
    if Path("/proc/self/uid_map").read_text(encoding="ascii").split() != _ALL_USERS:
        trusted.add(_UNMAPPED)
    return trusted
