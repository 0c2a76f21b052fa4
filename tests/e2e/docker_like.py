# SPDX-License-Identifier: GPL-2.0-or-later
"""`docker_like.py [--user UID] COMMAND…`: run a command as in a container of Docker's defaults.

The command gets no new namespaces and no mounts (a seccomp filter refuses them with EPERM, clone3
with ENOSYS, as Docker's default profile does), the capabilities that Docker leaves to root, and a
/dev/shm of 64 MB from which nothing can be executed. As root only: it makes that mount first.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys

_NEW_NAMESPACES = 0x7E020000
_EPERM, _ENOSYS = 1, 38
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""All that the default profile allows."""
_FORBIDDEN = {
    "acct": 163, "add_key": 248, "bpf": 321, "clock_adjtime": 305, "clock_settime": 227,
    "create_module": 174, "delete_module": 176, "finit_module": 313, "fsconfig": 431,
    "fsmount": 432, "fsopen": 430, "fspick": 433, "get_mempolicy": 239, "init_module": 175,
    "ioperm": 173, "iopl": 172, "kcmp": 312, "kexec_file_load": 320, "kexec_load": 246,
    "keyctl": 250, "lookup_dcookie": 212, "mbind": 237, "mount": 165, "move_mount": 429,
    "move_pages": 279, "name_to_handle_at": 303, "open_by_handle_at": 304, "open_tree": 428,
    "perf_event_open": 298, "pivot_root": 155, "quotactl": 179, "reboot": 169,
    "request_key": 249, "setdomainname": 171, "sethostname": 170, "set_mempolicy": 238,
    "setns": 308, "settimeofday": 164, "swapoff": 168, "swapon": 167, "sysfs": 139,
    "syslog": 103, "umount2": 166, "unshare": 272, "uselib": 134, "userfaultfd": 323,
    "ustat": 136, "vhangup": 153,
}  # fmt: skip
"""Calls by their number on x86_64."""
_CLONE, _CLONE3, _PERSONALITY = 56, 435, 135
_KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31})
"""What Docker leaves to root: chown to setfcap, without SYS_ADMIN, NET_ADMIN and SYS_PTRACE."""
_LAST_CAPABILITY = 40
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06


def program() -> bytes:
    """The filter, as an array of struct sock_filter."""
    rows: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, 0)]
    for number in _FORBIDDEN.values():
        rows += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    rows += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    rows += [
        (_EQUAL, 0, 4, _CLONE),
        (_LOAD, 0, 0, 16),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    rows += [(_EQUAL, 0, 2 + 2 * len(_PERSONALITIES), _PERSONALITY), (_LOAD, 0, 0, 16)]
    for value in _PERSONALITIES:
        rows += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    rows += [(_RETURN, 0, 0, _ERRNO | _EPERM), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def confine(user: int | None) -> None:
    """Make this process like one of a container; there is no way back."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in _KEPT_CAPABILITIES:
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    octets = program()
    buffer = ctypes.create_string_buffer(octets, len(octets))
    argument = struct.pack("@HxxxxxxP", len(octets) // 8, ctypes.addressof(buffer))
    if libc.prctl(22, 2, argument, 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def main() -> None:
    arguments = sys.argv[1:]
    user = None
    if arguments[0] == "--user":
        user, arguments = int(arguments[1]), arguments[2:]
    if os.environ.get("DOCKER_LIKE") != "inside":
        shm = "mount -t tmpfs -o size=64m,noexec,nosuid,nodev shm /dev/shm"
        script = f'{shm} && exec "$@"'
        outer = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, "-"]
        os.environ["DOCKER_LIKE"] = "inside"
        sys.exit(subprocess.run([*outer, sys.executable, *sys.argv], check=False).returncode)
    confine(user)
    os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    main()
