# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGHUP: swanctl.conf and the certificates are read again, checked whole, and then taken."""

import argparse
import logging
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from ike.config.files import Files
from ike.config.swanctl import load
from ike.errors import LocalError
from ike.vici.control import Control
from tkm.sandbox.reader import Reader

log = logging.getLogger("ike")

Authorities = Sequence[tuple[Path, int]]


def reader(arguments: argparse.Namespace, used: Collection[Path]) -> Reader:
    """Start the process that opens the files once this one may not.

    Args:
        used: Files and folders of the configuration that there is now. From the folder of
            ``swanctl.conf`` it opens others, too.

    Raises:
        OSError: It cannot be started.
    """
    folder = arguments.config.parent
    readable = {*used, folder / "x509ca"}

    def allows(path: Path) -> bool:
        whole = Path(os.path.normpath(path))
        return path in readable or (
            whole.is_relative_to(folder)
            and (
                whole.parent.name in ("x509", "x509ca") or whole.suffix == ".conf" or whole.is_dir()
            )
        )

    return Reader(allows, arguments.user, arguments.sandbox)


class Reload:
    """Reads the configuration again.

    Args:
        control: What takes it.
        opener: The process that opens the files.
        config: ``swanctl.conf``.
        authorities: As the program was given them.
    """

    def __init__(
        self, control: Control, opener: Reader, config: Path, authorities: Authorities
    ) -> None:
        self._control = control
        self._files = Files(opener.open, opener.names)
        self._config = config
        self._authorities = authorities

    def __call__(self) -> None:
        """Take what the files have now; if anything is wrong with it, everything stays."""
        try:
            self._control.reload(load(self._config, self._authorities, self._files))
        except LocalError as error:
            log.error("the configuration stays as it was: %s", error)
        else:
            log.info("the configuration was read again")
