# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel image that a virtual machine boots, and its modules.

It is the one that was asked for; else the one in our cache, which `lab.kernel.fetch` fills; else
one that is installed in /boot. Nothing in the cache is ever changed: a folder of it appears when it
is complete.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lab.errors import KernelError
from lab.kernel import modules
from lab.kernel.initramfs import MODULES

_INSTALLED = (Path("/boot"), Path("/lib/modules"))


class Image(NamedTuple):
    """A kernel to boot."""

    image: str
    modules: str
    """The folder with modules.dep; empty if all that is needed is built in."""


def cache() -> Path:
    """The folder of this user in which the lab keeps what takes long to get."""
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home or "~/.cache").expanduser() / "tkm-lab"


def find() -> Image | None:
    """The kernel in the cache, or an installed one, that can boot from this host's files."""
    for image in (*_cached(), *_installed()):
        index = Path(image.modules, modules.INDEX)
        if os.access(image.image, os.R_OK) and os.access(index, os.R_OK):
            return image
    return None


def _cached() -> Iterator[Image]:
    for folder in sorted(cache().glob("kernel/*"), reverse=True):
        yield Image(str(folder / "vmlinuz"), str(folder / "modules"))


def _installed() -> Iterator[Image]:
    """Kernels in /boot that have 9p; a "cloud" flavour has not."""
    images, folders = _INSTALLED
    for folder in sorted(folders.glob("*"), reverse=True):
        try:
            known = modules.names((folder / modules.INDEX).read_text())
        except OSError:
            continue
        if known.issuperset(MODULES[-2:]):
            yield Image(str(images / f"vmlinuz-{folder.name}"), str(folder))


def given(path: str, folder: str) -> Image:
    """The image that the user names, with the modules in `folder`, if not empty.

    `folder` may be what `make modules_install INSTALL_MOD_PATH=folder` was given.

    Raises:
        KernelError: it is not a kernel image, or these are not its modules.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(1 << 16)
    except OSError as trouble:
        raise KernelError(f"cannot read the kernel image {path}: {trouble.strerror}") from trouble
    if not _is_image(head):
        wanted = "bzImage (x86) or Image (arm64)"
        raise KernelError(f"{path} is not a kernel image: give the path of a {wanted}")
    return Image(str(Path(path).absolute()), str(_modules(folder, release(head))) if folder else "")


def release(head: bytes) -> str:
    """The version that a bzImage names; empty if it is another kind of image.

    Offset 0x20e holds the text's place, less 0x200 (Linux, Documentation/arch/x86/boot.rst).
    """
    if head[0x202:0x206] != b"HdrS":
        return ""
    place = 0x200 + int.from_bytes(head[0x20E:0x210], "little")
    return head[place:].partition(b"\0")[0].partition(b" ")[0].decode(errors="replace")


def _is_image(head: bytes) -> bool:
    bz_image, elf, arm64 = head[0x202:0x206] == b"HdrS", head[:4] == b"\x7fELF", head[0x38:0x3C]
    return bz_image or elf or arm64 == b"ARM\x64"


def _modules(folder: str, version: str) -> Path:
    place = Path(folder).absolute()
    if (place / modules.INDEX).is_file():
        return place
    found = sorted(index.parent for index in place.glob(f"lib/modules/*/{modules.INDEX}"))
    if not found:
        install = f"make modules_install INSTALL_MOD_PATH={shlex.quote(str(place))}"
        raise KernelError(f"no {modules.INDEX} in {place} or in its lib/modules: {install}")
    fitting = [one for one in found if not version or one.name == version]
    if len(fitting) != 1:
        names = ", ".join(one.name for one in found)
        raise KernelError(
            f"{place} has modules of {names}, and the image is {version or 'unknown'}"
        )
    return fitting[0]
