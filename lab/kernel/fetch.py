# SPDX-License-Identifier: GPL-2.0-or-later
"""Gets Debian's newest kernel for QEMU into the user's cache: `python -m lab.kernel.fetch`.

The package is downloaded and unpacked, not installed: this host boots what it booted before. An
ordinary user can do it, with apt-get, dpkg-deb, and depmod for the modules' index. A kernel that is
there already is left as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.errors import KernelError, LabError
from lab.kernel import image, machine

_PARTS = (
    *("arch", "crypto", "lib", "net"),
    *("drivers/char", "drivers/net/*.ko*", "drivers/virtio"),
    *("fs/9p", "fs/fscache", "fs/netfs", "fs/overlayfs"),
)
"""The modules that a lab may need; other drivers are most of the package's 400 MB."""


def main() -> int:
    """Fetch the kernel, and report where it is; return the exit code."""
    began = time.monotonic()
    try:
        folder = fetch()
    except LabError as trouble:
        print(f"tkm-lab: {trouble}", file=sys.stderr)
        return 1
    print(f"{folder} ({time.monotonic() - began:.1f} s)")
    return 0


def fetch() -> Path:
    """The folder of the kernel in the cache, which is filled if it has to be.

    Raises:
        KernelError: this system does not give it, and why.
    """
    here = machine.here()
    if here is None:
        raise KernelError(f"the lab has no QEMU machine for {os.uname().machine}")
    package = _newest(here.image)
    folder = image.cache() / "kernel" / package.removeprefix("linux-image-")
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as draft:
                _unpack(package, Path(draft)).replace(folder)
        except OSError as trouble:
            raise KernelError(f"cannot fill {folder}: {trouble.strerror}") from trouble
    return folder


def _newest(package: str) -> str:
    """The package that Debian's meta package stands for."""
    for word in _run("apt-cache", "depends", "--important", package).split():
        if word.startswith("linux-image-") and word != package:
            return word
    raise KernelError(f"this system has no package {package}: apt-get update, or use --image PATH")


def _unpack(package: str, draft: Path) -> Path:
    """Download and unpack it; return a folder with `vmlinuz` and `modules`."""
    _run("apt-get", "download", "-qq", package, cwd=draft)
    (archive,) = draft.glob("*.deb")
    tree, done = draft / "tree", draft / "done"
    _run("dpkg-deb", "-x", str(archive), str(tree))
    (kernel,) = tree.glob("boot/vmlinuz-*")
    release = kernel.name.removeprefix("vmlinuz-")
    (everything,) = (*tree.glob(f"lib/modules/{release}"), *tree.glob(f"usr/lib/modules/{release}"))
    modules = done / "lib/modules" / release
    modules.mkdir(parents=True)
    for index in everything.glob("modules.*"):  # what is built in, and the order, for depmod
        index.replace(modules / index.name)
    for part in (found for pattern in _PARTS for found in everything.glob(f"kernel/{pattern}")):
        place = modules / part.relative_to(everything)
        place.parent.mkdir(parents=True, exist_ok=True)
        part.replace(place)
    _run("/usr/sbin/depmod", "-b", str(done), release)
    kernel.replace(done / "vmlinuz")
    modules.replace(done / "modules")
    return done


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise KernelError(f"cannot get a kernel image: there is no {command[0]}") from missing
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise KernelError(f"cannot get a kernel image: {' '.join(command[:2])}: {why}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
