# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGHUP: swanctl.conf and the certificates are read again, checked whole, and then taken."""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from ike.config.files import Files
from ike.config.swanctl import load
from ike.errors import LocalError
from ike.vici.control import Control
from tkm.sandbox.reader import Reader

log = logging.getLogger("ike")

Authorities = Sequence[tuple[Path, int]]


def reader(arguments: argparse.Namespace, authorities: Authorities) -> Reader:
    """Start the process that opens the files once this one may not.

    Raises:
        OSError: It cannot be started.
    """
    folder = arguments.config.parent
    files = {arguments.config, folder / "x509ca", *(file for file, _ in authorities)}

    def allows(path: Path) -> bool:
        return path in files or Path(os.path.normpath(path)).parent in (
            folder / "x509",
            folder / "x509ca",
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
