# SPDX-License-Identifier: GPL-2.0-or-later
"""A run of `two-hosts` with --expose-ike-keys: pings, three Child SA rekeys, an IKE SA rekey.

Made from a lab that was up with `run.dump(record(Lab.connect(...)))`. Its keys died with it.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from lab.observe.report.run import Run, load

FILE = Path(__file__).with_name("two-hosts.json.gz")


def text() -> str:
    """The kept run as it is in the file."""
    return gzip.decompress(FILE.read_bytes()).decode()


@cache
def two_hosts() -> Run:
    """The kept run."""
    return load(text())
