# SPDX-License-Identifier: GPL-2.0-or-later
"""What a node sees of the file system: the host's, with a /tmp, /run and /etc of its own.

Nothing that a node writes there reaches the host or another node. Its /etc/tkm begins empty: the
host's, should it have one, is that of a Key Manager which is not the lab's.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.kernel import syscalls

_ETC = Path("/etc")
_TKM = _ETC / "tkm"
HOSTS = Path("/run/hosts")
"""Names and addresses of the nodes."""
_LAYERS = Path("/run/.etc")
_KEPT = {
    os.ST_NOSUID: syscalls.MS_NOSUID,
    os.ST_NODEV: syscalls.MS_NODEV,
    os.ST_NOEXEC: syscalls.MS_NOEXEC,
}
"""Flags of a mount that a user namespace may not take away."""


def make(needs: Sequence[str]) -> None:
    """Make a node's mounts; `needs` are seen even if they are below /tmp or /run."""
    covered = [Path(p) for p in sorted(set(needs)) if p.startswith(("/tmp/", "/run/"))]
    kept = [(p, os.open(p, os.O_PATH | os.O_CLOEXEC)) for p in covered if p.is_dir()]
    syscalls.mount("proc", "/proc", "proc")
    try:
        syscalls.mount("sysfs", "/sys", "sysfs")
    except OSError as refused:  # an old kernel, in a user namespace; a node can do without
        sys.stderr.write(f"a node goes without its own /sys: {refused}\n")
    for place, mode in (("/tmp", "1777"), ("/run", "755")):
        _mount_tmpfs(place, mode)
    _make_etc()
    _make_hosts()
    _TKM.mkdir(exist_ok=True)
    _mount_tmpfs(_TKM, "755")
    for path, fd in kept:
        if not path.exists():  # else it is part of one that is back already
            path.mkdir(parents=True)
            syscalls.mount(f"/proc/self/fd/{fd}", path, "", syscalls.MS_BIND | syscalls.MS_REC)
        os.close(fd)


def _mount_tmpfs(place: str | Path, mode: str) -> None:
    syscalls.mount("node", place, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, f"mode={mode}")


def _make_etc() -> None:
    """An overlay on /etc or, where the kernel refuses one, a folder of links to what is there.

    An old kernel refuses it in a user namespace; any kernel, if /etc is an overlay on an overlay.
    """
    for layer in ("upper", "work", "host"):
        (_LAYERS / layer).mkdir(parents=True)
    options = f"lowerdir={_ETC},upperdir={_LAYERS}/upper,workdir={_LAYERS}/work"
    with contextlib.suppress(OSError):
        syscalls.mount("overlay", _ETC, "overlay", 0, options)
        return
    host = _LAYERS / "host"
    syscalls.mount(_ETC, host, "", syscalls.MS_BIND | syscalls.MS_REC)
    _forbid_writing(host)
    _mount_tmpfs(_ETC, "755")
    for entry in host.iterdir():
        if entry.name != _TKM.name:
            (_ETC / entry.name).symlink_to(entry)


def _make_hosts() -> None:
    """A file of its own as /etc/hosts, which whoever builds the node fills by its name in /run."""
    HOSTS.touch(0o644)
    if (shown := _ETC / HOSTS.name).exists():
        syscalls.mount(HOSTS, shown, "", syscalls.MS_BIND)


def _forbid_writing(place: Path) -> None:
    present = os.statvfs(place).f_flag
    kept = sum(flag for shown, flag in _KEPT.items() if present & shown)
    flags = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | kept
    syscalls.mount("none", place, "", flags)
