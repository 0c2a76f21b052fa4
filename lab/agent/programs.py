# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that start as a fork of a warm process instead of a new interpreter.

Each is the very program that its command starts: `main(argv) -> int`. Their modules are imported
once, in the agent, before it forks the nodes.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Mapping

BUILTIN: dict[str, str] = {
    "tkm_keymanager": "tkm.daemon.main:main",
    "tkm_cfgtool": "tkm_cfgtool.main:main",
    "xfrm_proxy": "xfrm_proxy.main:main",
    "tkm_iked": "ike.daemon.main:main",
}

LATE = ("shutil",)
"""What libraries import when they are first used: argparse wants the terminal's width, and with it
come three libraries for compression. Each fork would do it anew."""


def warm(programs: Mapping[str, str]) -> dict[str, str]:
    """Import the programs' modules; return why, for each one that cannot be imported."""
    broken: dict[str, str] = {}
    gc.disable()
    for module in LATE:
        importlib.import_module(module)
    for name, target in programs.items():
        try:
            importlib.import_module(target.partition(":")[0])
        except ImportError as trouble:
            broken[name] = f"{name} cannot be loaded: {trouble}"
    gc.freeze()
    return broken


def call(target: str, argv: list[str]) -> int:
    """Call `module:function` as its command would be; return the exit code."""
    module, _, function = target.partition(":")
    gc.enable()
    sys.argv = argv
    main = getattr(importlib.import_module(module), function)
    try:
        code = main(argv[1:])
    except SystemExit as leaving:
        code = leaving.code
    if isinstance(code, str):
        sys.stderr.write(code + "\n")
        return 1
    return code or 0
