# SPDX-License-Identifier: GPL-2.0-or-later
"""The entry point ``tkm-lab``: runs the commands, or reports what has to be installed for them.

``pip install tkm-lab`` brings what a gateway needs; the packages that the lab needs are an extra.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

PACKAGES = ("click", "jinja2", "rich", "scapy", "vici")
"""The packages of the extra ``lab`` in pyproject.toml."""
_WRONG_USE = 2


def main() -> None:
    """Run the program; it ends with SystemExit."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"tkm-lab: the lab needs {', '.join(missing)}: pip install 'tkm-lab[lab]'\n"
        )
        sys.exit(_WRONG_USE)
    from lab.cli import main as commands

    commands.main()
