# SPDX-License-Identifier: GPL-2.0-or-later
"""Octets are zeroed where they are, before their memory is given back."""

Buffer = bytes | bytearray | memoryview


def wipe(octets: bytearray | memoryview) -> None:
    """Zero these octets in place."""
    octets[:] = bytes(len(octets))
