# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder with keys in it: only its owner reads it, and nobody else's file is overwritten."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.errors import UsageError

MARK = "# Written by tkm-lab.\n"
"""How a file of ours begins. Wireshark takes it for a comment in each of its files."""
KEPT = "preferences"
"""The file that Wireshark itself writes when a user changes a setting: then it is the user's."""


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write files, name -> text, into a folder that only we can read.

    Each file is a new one (mode 0600) that takes the place of the old one in one step, so nobody
    reads keys through permissions, links or descriptors that were there before.

    Raises:
        UsageError: it cannot be written; it is somebody else's or others may write to it; or
            files of these names in it are not ours. Nothing has been written then.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(folder) as directory:
            for name in _writable(folder, directory, files):
                _replace(directory, name, MARK + files[name])
    except OSError as trouble:
        raise UsageError(f"{folder}: {trouble.strerror}") from trouble


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(directory)
        if found.st_uid != os.geteuid():
            raise UsageError(f"{folder} belongs to another user: choose another folder for keys")
        if stat.S_IMODE(found.st_mode) & 0o022:
            raise UsageError(f"others can write to {folder}: choose another folder, or chmod 700")
        yield directory
    finally:
        os.close(directory)


def _writable(folder: Path, directory: int, names: Mapping[str, str]) -> list[str]:
    """The files to write: all, but for a `KEPT` that its user has changed.

    Raises:
        UsageError: some are there, and are not ours.
    """
    there = {name: _is_ours(directory, name) for name in names if _exists(directory, name)}
    foreign = [name for name, ours in there.items() if not ours]
    kept = [KEPT] if any(there.values()) else []
    if refused := [name for name in foreign if name not in kept]:
        raise UsageError(f"{folder / refused[0]} is not tkm-lab's: choose another folder for keys")
    return [name for name in names if name not in foreign]


def _exists(directory: int, name: str) -> bool:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=directory, follow_symlinks=False)
        return True
    return False


def _is_ours(directory: int, name: str) -> bool:
    """Whether it is a plain file (no link, no device) that begins with our mark."""
    if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        return False
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(file, len(MARK)) == MARK.encode()
    finally:
        os.close(file)


def _replace(directory: int, name: str, text: str) -> None:
    draft = f".{name}-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(draft, flags, 0o600, dir_fd=directory)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            opened.write(text)
        os.rename(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=directory)
        raise
