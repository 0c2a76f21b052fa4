# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user may choose about the machine that a lab runs on: `up`, `run` and pytest alike."""

from __future__ import annotations

from typing import NamedTuple

from lab.errors import UsageError
from lab.kernel.plan import CAPTURE, mebibytes

CAPTURE_SIZE = f"{CAPTURE >> 20}M"
_LEAST_MEMORY = 96
"""MiB: with less, a guest does not reach its agent."""


class Platform(NamedTuple):
    """The choices; the fields are arguments of `lab.build.builder.up`."""

    kernel: str = "auto"
    """`auto`, `host`, `uml` or `qemu`."""
    memory: str = ""
    """Of a guest, such as `2G`; empty: as much as its hosts need."""
    capture: int = CAPTURE
    """Octets of memory that captured frames take at most."""
    image: str = ""
    """The path of the kernel that QEMU boots."""
    modules: str = ""
    """The folder of that kernel's modules."""


def chosen(
    kernel: str, memory: str, capture: str, image: str, modules: str, *, prefix: str = "--"
) -> Platform:
    """The platform that a user asks for.

    Args:
        kernel: see `Platform`.
        memory: see `Platform`.
        capture: a size, such as `64M`.
        image: see `Platform`.
        modules: see `Platform`.
        prefix: how the options' names begin, for errors.

    Raises:
        UsageError: a size is not one, or too small; or these do not go together.
    """
    if memory and _size(f"{prefix}memory", memory) < _LEAST_MEMORY:
        raise UsageError(f"{prefix}memory {memory}: a guest needs at least {_LEAST_MEMORY}M")
    octets = _size(f"{prefix}capture", capture) << 20
    if not octets:
        raise UsageError(f"{prefix}capture {capture}: a capture needs at least 1M")
    check_image(kernel, image, modules, prefix=prefix)
    return Platform(kernel, memory, octets, image, modules)


def check_image(kernel: str, image: str, modules: str, *, prefix: str = "--") -> None:
    """Raise UsageError unless a kernel image of the user's own can be meant."""
    if (image or modules) and kernel != "qemu":
        raise UsageError(f"only QEMU boots an image of yours: add {prefix}kernel qemu")
    if modules and not image:
        raise UsageError(f"modules belong to an image: add {prefix}image PATH")


def _size(option: str, size: str) -> int:
    try:
        return mebibytes(size)
    except ValueError as trouble:
        raise UsageError(f"{option}: {trouble}") from trouble
