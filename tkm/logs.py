# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines, in the form of the original: ``Nov 21 2026 17:30:42 Creating …``."""

import logging
import sys

FORMAT = "%(asctime)s %(message)s"
TIME = "%b %d %Y %H:%M:%S"


def to_stderr(level: int = logging.INFO) -> None:
    """Log to standard error from now on."""
    logging.basicConfig(level=level, format=FORMAT, datefmt=TIME, stream=sys.stderr, force=True)
    logging.captureWarnings(True)
