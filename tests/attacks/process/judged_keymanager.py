#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_keymanager as it is, on a kernel that writes down in a file what it is asked for.

It refuses what the real one refuses: a state that is there already. Keys are written as digests,
refused ones, too. The last argument is the file; it imports nothing but ``tkm``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Final

from tkm.config.policy import Policy
from tkm.daemon import main
from tkm.errors import KernelError
from tkm.xfrm.model import StateKeys, StatePair

JOURNAL: Final = Path(sys.argv.pop()).open("a", encoding="utf-8")  # noqa: SIM115


class JudgedKernel:
    """A SAD whose every step is in the journal."""

    def __init__(self) -> None:
        self._states: set[tuple[str, str]] = set()

    def _write(self, what: str, **values: object) -> None:
        print(json.dumps({"what": what, **values}), file=JOURNAL, flush=True)

    def claim(self, users: Container[int]) -> None:
        """Any number of Key Managers may have one like this."""

    def protect(self, policies: Iterable[Policy]) -> None:
        """Note down which policies there are."""
        self._write("protect", policies=[policy.id for policy in policies])

    def take_over(self, policies: Iterable[Policy]) -> None:
        """Forget all states."""
        self.flush_states()

    def flush_states(self) -> None:
        """Forget all states."""
        self._states.clear()
        self._write("flush states")

    def flush(self) -> None:
        """Forget all policies and states."""
        self.flush_states()
        self._write("flush")

    replace = protect

    def add_inbound(self, pair: StatePair, keys: StateKeys) -> None:
        """Note the state down.

        Raises:
            KernelError: there is one already.
        """
        self._add(pair, keys, _names(pair)[0])

    def add_outbound(self, pair: StatePair, keys: StateKeys) -> None:
        """Note the state down.

        Raises:
            KernelError: there is one already.
        """
        self._add(pair, keys, _names(pair)[1])

    def _add(self, pair: StatePair, keys: StateKeys, name: tuple[str, str]) -> None:
        digests = [hashlib.sha256(key.octets).hexdigest() for key in keys]
        is_new = name not in self._states
        self._write("add", policy=pair.policy.id, keys=digests, granted=is_new, states=[name])
        if not is_new:
            raise KernelError("such a state exists")
        self._states.add(name)

    def delete_states(self, pair: StatePair, *, sends: bool) -> None:
        """Strike them out."""
        names = _names(pair)[: 1 + sends]
        self._states -= set(names)
        self._write("delete", states=names)


def _names(pair: StatePair) -> tuple[tuple[str, str], tuple[str, str]]:
    """Destination and SPI of the inbound state, and of the outbound one."""
    local, remote = pair.policy.local.ip, pair.policy.remote.ip
    return (str(local), pair.spi_in.hex()), (str(remote), pair.spi_out.hex())


if __name__ == "__main__":
    main.XfrmKernel = JudgedKernel  # type: ignore[attr-defined,assignment]
    sys.exit(main.main())
