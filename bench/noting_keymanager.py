#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_keymanager as it is, but for its kernel, which only notes down which states it holds.

For measurements where no kernel with ESP is; it imports nothing but ``tkm``.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable

from tkm.config.policy import Policy
from tkm.daemon import main
from tkm.xfrm.model import StateKeys, StatePair


class NotingKernel:
    """Holds pairs of states by name, no keys."""

    def __init__(self) -> None:
        self._pairs: set[StatePair] = set()

    def claim(self, users: Container[int]) -> None:
        """Any number of Key Managers may have one like this."""

    def protect(self, policies: Iterable[Policy]) -> None:
        """Policies come from the configuration, which is kept anyway."""

    def take_over(self, policies: Iterable[Policy]) -> None:
        """Forget all states."""
        self.flush_states()

    replace = protect

    def flush_states(self) -> None:
        """Forget all states."""
        self._pairs.clear()

    flush = flush_states

    def add_inbound(self, pair: StatePair, keys: StateKeys) -> None:
        """Note the pair down."""
        self._pairs.add(pair)

    add_outbound = add_inbound

    def delete_states(self, pair: StatePair, *, sends: bool) -> None:
        """Strike them out."""
        self._pairs.discard(pair)


if __name__ == "__main__":
    main.XfrmKernel = NotingKernel  # type: ignore[attr-defined,assignment]
    sys.exit(main.main())
