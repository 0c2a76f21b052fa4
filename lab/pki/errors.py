# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong when a lab makes its identities: only the caller can be at fault."""

from __future__ import annotations

from lab.errors import UsageError


class PkiError(UsageError):
    """The caller asked for a certificate that must not exist, not even in a test."""
