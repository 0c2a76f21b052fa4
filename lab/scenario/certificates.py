# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates that nobody must accept, made on purpose."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final

from lab.pki import CA, Identity

Spoil = Callable[[CA, Identity], Identity]
"""From the root that all trust and a good identity to one that is bad, with the same key."""

_DAY = dt.timedelta(days=1)


def _foreign(_: CA, good: Identity) -> Identity:
    return CA("another root").issue_cert(*good.names, key=good.key.rsa)


def _expired(root: CA, good: Identity) -> Identity:
    now = dt.datetime.now(dt.UTC)
    begin, end = now - 2 * _DAY, now - _DAY
    return root.issue_cert(*good.names, key=good.key.rsa, not_before=begin, not_after=end)


def _early(root: CA, good: Identity) -> Identity:
    now = dt.datetime.now(dt.UTC)
    begin, end = now + _DAY, now + 2 * _DAY
    return root.issue_cert(*good.names, key=good.key.rsa, not_before=begin, not_after=end)


def _other(root: CA, good: Identity) -> Identity:
    return root.issue_cert(f"not-{good.names[0]}", key=good.key.rsa)


def _no_ca(root: CA, good: Identity) -> Identity:
    issuer = root.create_child_ca("no CA at all", ca=False)
    return issuer.issue_cert(*good.names, key=good.key.rsa)


FLAWS: Final[Mapping[str, Spoil]] = {
    "foreign CA": _foreign,
    "expired": _expired,
    "not yet valid": _early,
    "another identity": _other,
    "issuer without CA flag": _no_ca,
}
"""What can be wrong with the certificate of a host, and what makes it so."""
