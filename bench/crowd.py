#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that come at once: do all of them come up, and when?

    .venv/bin/python bench/crowd.py [--clients 1000] [--loss 0.02] [--seed 0]

The gateway and every client have an engine and a TKM, on a network in memory with a time of its
own (`tests/unit/ike/crowd.py`). Exit code 0: all are up before the clients give up.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.unit.ike.crowd import Crowd, short_groups
from tests.unit.ike.network import Weather

PATIENCE = 180.0
"""Seconds of the network's time; a client gives up somewhat earlier."""
ONE_WAY = (0.02, 0.06)
"""Seconds."""


def main() -> int:
    """Exit code 0: all are up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--loss", type=float, default=0.02, help="of datagrams (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable()
    with short_groups():
        weather = Weather(loss=arguments.loss, delays=ONE_WAY)
        crowd = Crowd(arguments.clients, weather=weather, seed=arguments.seed)
        began = time.process_time()
        crowd.come()
        seconds = crowd.run(PATIENCE)
    print(
        f"{crowd.up()} of {arguments.clients} clients are up after {seconds:.1f} s and "
        f"{crowd.sent} datagrams, for {time.process_time() - began:.1f} s of both sides' work"
    )
    return int(crowd.up() != arguments.clients)


if __name__ == "__main__":
    sys.exit(main())
