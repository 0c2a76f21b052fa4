# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGHUP: tkm.conf, keys, CAs and CRLs are read again, checked whole, and then taken."""

import argparse
import logging
from pathlib import Path

from tkm.config import conf, files, keys
from tkm.config.crls import load_crls
from tkm.config.files import Opener
from tkm.config.policy import Config, check_generation_1
from tkm.core.manager import KeyManager
from tkm.core.rules import Rules
from tkm.errors import ConfigError, KernelError
from tkm.sandbox.reader import Reader

log = logging.getLogger(__name__)


def config(arguments: argparse.Namespace, opener: Opener = files.open_trusted) -> Config:
    """What ``-c`` names.

    :raises ConfigError: it is not usable.
    """
    found = conf.load(arguments.config, opener)
    if arguments.rpc == 1:
        check_generation_1(found)
    return found


def rules(
    arguments: argparse.Namespace, found: Config, opener: Opener = files.open_trusted
) -> Rules:
    """A configuration with the keys, CAs and CRLs that ``-k``, ``-r`` and ``--crls`` name.

    :raises ConfigError: one of them is not usable.
    """
    private_keys = keys.load_private_keys(arguments.keys, found.local_identities, opener)
    anchors = keys.load_anchors(arguments.ca, opener)
    if not arguments.crls:
        return Rules(found, private_keys, anchors)
    return Rules(found, private_keys, anchors, load_crls(arguments.crls, opener))


def reader(arguments: argparse.Namespace) -> Reader:
    """The process that opens these files once this one may not; it stays the user that we are now.

    :raises OSError: there can be none.
    """
    named = {arguments.config, *keys.named(arguments.keys), *keys.named(arguments.ca)}
    named |= set(map(Path, arguments.crls.split(","))) if arguments.crls else set()

    def is_named(path: Path) -> bool:
        return path in named

    return Reader(is_named, None, arguments.sandbox, files.open_trusted)


def reload(manager: KeyManager, arguments: argparse.Namespace, opener: Opener) -> None:
    """Take what the files have now; if anything is wrong with it, everything stays."""
    try:
        manager.reload(rules(arguments, config(arguments, opener), opener))
    except (ConfigError, KernelError) as error:
        log.error("The configuration stays as it was: %s", error)
    else:
        log.info("The configuration was read again")
