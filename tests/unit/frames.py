# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames of tkm-rpc, taken apart."""

from tkm.rpc.interface import Framing, Header


def cut(
    framing: Framing, frame: bytes | bytearray, *, responses: bool = False
) -> tuple[Header, bytes]:
    """Header and body of a whole frame."""
    found = framing.cut(bytearray(frame), responses=responses)
    assert found is not None
    header, body = found
    assert body is not None
    return header, body
