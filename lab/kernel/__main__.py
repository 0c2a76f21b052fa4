# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts the keeper: `main.py PLAN`, the plan as JSON; the leash is a descriptor by agreement."""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    sys.path[:0] = json.loads(sys.argv[1])["path"]
    from lab.kernel.keeper import main

    sys.exit(main())
