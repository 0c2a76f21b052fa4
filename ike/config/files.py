# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the files of a configuration are read from: the disk, or a process that opens them."""

import os
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

    def read(self, path: Path, most: int | None = None) -> bytes:
        """The octets of a file.

        Raises:
            ConfigError: It cannot be read, is not a file, or is longer than ``most``.
        """
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
        try:
            return [folder / name for name in self._names(folder)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ConfigError(f"{folder}: {error.strerror}") from error
