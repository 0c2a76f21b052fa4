# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel modules: which files to load, and in which order, out of a modules.dep (depmod(8)).

A folder of modules is what `make modules_install` writes, or a distribution's package: files below
`kernel/`, and a `modules.dep`. The files may be compressed.
The guest imports this module, so it is lean.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab.errors import KernelError

INDEX = "modules.dep"


def names(dependencies: str) -> set[str]:
    """The names of all modules that a modules.dep lists, written with underscores."""
    return {_name(line.partition(":")[0]) for line in dependencies.splitlines() if line}


def files(wanted: Iterable[str], dependencies: str) -> list[str]:
    """The files to load, dependencies first, out of the text of a modules.dep.

    A module that it does not list is taken to be built in.
    """
    needs: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in dependencies.splitlines():
        file, _, others = line.partition(":")
        needs[file] = others.split()
        by_name[_name(file)] = file
    order: list[str] = []
    for name in wanted:
        if file := by_name.get(name, ""):
            order += [*reversed(needs[file]), file]
    return list(dict.fromkeys(order))


def read(path: Path) -> bytes:
    """A module's octets, uncompressed.

    Raises:
        KernelError: it cannot be uncompressed here.
        OSError: it cannot be read.
    """
    if path.suffix == ".xz":
        import lzma

        return lzma.decompress(path.read_bytes())
    if path.suffix == ".gz":
        import gzip

        return gzip.decompress(path.read_bytes())
    return _unzstd(path) if path.suffix == ".zst" else path.read_bytes()


def _unzstd(path: Path) -> bytes:
    import subprocess

    try:
        return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as trouble:
        raise KernelError(f"cannot uncompress {path}: apt-get install zstd") from trouble


def _name(file: str) -> str:
    """xt_MASQUERADE, of kernel/net/netfilter/xt_MASQUERADE.ko.xz; file names may have hyphens."""
    return file.rpartition("/")[2].partition(".")[0].replace("-", "_")
