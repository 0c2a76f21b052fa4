# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that start as a fork of a warm process instead of a new interpreter.

Each is the very program that its command starts: `main(argv) -> int`. Their modules are imported
once, in the agent, before it forks the nodes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import pwd
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

_NOBODY_HAS = 61200
"""A user of systemd's dynamic range: every library that knows users is asked."""


def warm(programs: Mapping[str, str]) -> dict[str, str]:
    """Import the programs' modules; use our own ones once, for what is set up at the first use.

    Returns:
        Why, for each program that cannot be imported.
    """
    broken: dict[str, str] = {}
    gc.disable()
    for module in LATE:
        importlib.import_module(module)
    for name, target in programs.items():
        try:
            importlib.import_module(target.partition(":")[0])
        except ImportError as trouble:
            broken[name] = f"{name} cannot be loaded: {trouble}"
            continue
        if name in BUILTIN:  # another may not know the option, and wait for its input
            with contextlib.redirect_stdout(io.StringIO()):
                call(target, [name, "--version"])
    gc.disable()
    with contextlib.suppress(KeyError):
        pwd.getpwuid(_NOBODY_HAS)
    _use_algorithms()
    gc.freeze()
    return broken


def _use_algorithms() -> None:
    """Use what daemons use of OpenSSL.

    Nothing here may ask OpenSSL for random numbers: it knows by its PID that it was forked, and in
    a PID namespace of its own a fork may have the PID of the agent.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, hmac
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    Cipher(algorithms.AES(bytes(32)), modes.CBC(bytes(16))).encryptor().update(bytes(16))
    hmac.HMAC(b"", hashes.SHA512()).finalize()
    modulus = rsa.RSAPublicNumbers(65537, (1 << 3071) + 1).public_key()
    with contextlib.suppress(InvalidSignature):
        modulus.verify(bytes(384), b"", padding.PKCS1v15(), hashes.SHA256())


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
