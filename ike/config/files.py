# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the files of a configuration are read from: the disk, or a process that opens them."""

import fnmatch
import itertools
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from ike.errors import ConfigError
from tkm.sandbox.reader import open_to_read


def names_on_disk(folder: Path) -> list[str]:
    """The names in a folder, sorted.

    Raises:
        OSError: They cannot be read.
    """
    return sorted(path.name for path in folder.iterdir())


class Files:
    """Reads files.

    Args:
        open_file: Opens a file; both raise OSError.
        names: Lists a folder.
    """

    def __init__(
        self,
        open_file: Callable[[Path], int] = open_to_read,
        names: Callable[[Path], list[str]] = names_on_disk,
    ) -> None:
        self._open = open_file
        self._names = names
        self.used: set[Path] = set()
        """Files that were opened and folders that were listed, or were to be."""

    def read(self, path: Path, most: int | None = None) -> bytes:
        """The octets of a file.

        Raises:
            ConfigError: It cannot be read, is not a file, or is longer than ``most``.
        """
        self.used.add(path)
        try:
            with os.fdopen(self._open(path), "rb") as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise ConfigError(f"{path}: not a file")
                if most is not None and status.st_size > most:
                    raise ConfigError(f"{path}: longer than {most} octets")
                return stream.read()
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error

    def folder(self, folder: Path) -> list[Path]:
        """What is in a folder, sorted by name; nothing if there is no such folder.

        Raises:
            ConfigError: It cannot be read.
        """
        self.used.add(folder)
        try:
            return [folder / name for name in self._names(folder)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ConfigError(f"{folder}: {error.strerror}") from error

    def matching(self, pattern: Path) -> list[Path]:
        """Files by a path that may have wildcards (glob(7)); one without need not be there.

        Raises:
            ConfigError: A folder cannot be read.
        """
        plain = itertools.takewhile(lambda part: not re.search(r"[*?[]", part), pattern.parts)
        found = [Path(*plain)]
        for part in pattern.parts[len(found[0].parts) :]:
            inner = (each for folder in found for each in self.folder(folder))
            found = [each for each in inner if _matches(each.name, part)]
        return found


def _matches(name: str, pattern: str) -> bool:
    """As a shell matches names: those of hidden files only by a dot."""
    hidden = name.startswith(".") and not pattern.startswith(".")
    return not hidden and fnmatch.fnmatchcase(name, pattern)
