# SPDX-License-Identifier: GPL-2.0-or-later
"""The first file system of a virtual machine: it loads a few modules and changes to the real root.

A distribution's kernel has virtio and 9p as modules, and no Python can run before 9p is mounted. So
a small archive holds these modules, a static busybox and a script. It is made when a lab starts, in
memory: it fits the kernel at hand and is never out of date.

The archive's format is cpio's "newc": Linux, Documentation/driver-api/early-userspace.
"""

from __future__ import annotations

import shlex
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

from lab.errors import KernelError
from lab.kernel import modules

MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p")
TAG = "host"
"""The name of the shared file system, for the `mount_tag` of its device."""
_INSTALL = "apt-get install busybox-static"
_DIRECTORY, _PROGRAM, _FILE = 0o040755, 0o100755, 0o100644
_ROOT = "/root"
_PT_INTERP = 3

_INIT = """\
#!/bin/busybox sh
fail() {{ echo "tkm-lab: $1"; /bin/busybox poweroff -f; }}
for module in {modules}; do
    /bin/busybox insmod "/modules/$module" || fail "this kernel does not take the module $module"
done
/bin/busybox mount -t 9p -o {options} {tag} {root} ||
    fail "this kernel cannot mount this host's files: it has no {features}"
exec /bin/busybox switch_root {root} {command}
"""
_OPTIONS = "ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000"
_FEATURES = (
    "CONFIG_9P_FS, CONFIG_NET_9P_VIRTIO, CONFIG_VIRTIO_PCI (build them in, or give --modules)"
)


def find_busybox() -> str | None:
    """The path of a busybox that needs no libraries, if there is one."""
    path = shutil.which("busybox")
    return path if path and _is_static(Path(path).read_bytes()) else None


def make(folder: Path | None, command: Sequence[str]) -> bytes:
    """The archive for a kernel with modules in `folder`; `command` is the machine's own init.

    Raises:
        KernelError: there is no static busybox, or a module cannot be read.
    """
    busybox = find_busybox()
    if busybox is None:
        raise KernelError(f"no static busybox for the guest's first steps: {_INSTALL}")
    folders = ("bin", "dev", "modules", _ROOT[1:])
    content: dict[str, tuple[int, bytes]] = dict.fromkeys(folders, (_DIRECTORY, b""))
    content["bin/busybox"] = (_PROGRAM, Path(busybox).read_bytes())
    order: list[str] = []
    if folder is not None:
        for file in modules.files(MODULES, (folder / modules.INDEX).read_text()):
            order.append(Path(file).name.partition(".")[0] + ".ko")
            content[f"modules/{order[-1]}"] = (_FILE, modules.read(folder / file))
    script = _INIT.format(
        modules=" ".join(order),
        options=_OPTIONS,
        tag=TAG,
        root=_ROOT,
        features=_FEATURES,
        command=shlex.join(command),
    )
    content["init"] = (_PROGRAM, script.encode())
    return archive(content)


def archive(content: dict[str, tuple[int, bytes]]) -> bytes:
    """A cpio archive: path -> (file type and mode as in stat(2), octets)."""
    entries = [*content.items(), ("TRAILER!!!", (0, b""))]
    return b"".join(
        _entry(number, path, mode, octets)
        for number, (path, (mode, octets)) in enumerate(entries, start=1)
    )


def _entry(inode: int, path: str, mode: int, octets: bytes) -> bytes:
    name = path.encode() + b"\0"
    links, owner, group, time, device = 1, 0, 0, 0, (0, 0, 0, 0)
    fields = (inode, mode, owner, group, links, time, len(octets), *device, len(name), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(header + name) + _padded(octets)


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _is_static(elf: bytes) -> bool:
    """Whether a 64-bit ELF program runs without an interpreter (elf(5))."""
    if elf[:5] != b"\x7fELF\x02":
        return False
    (headers,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    kinds = (struct.unpack_from("<I", elf, headers + n * size)[0] for n in range(count))
    return _PT_INTERP not in kinds
