# SPDX-License-Identifier: GPL-2.0-or-later
"""A filter of system calls, in the kernel's BPF (seccomp(2), linux/filter.h, linux/seccomp.h).

What is not allowed fails with EPERM, and the kernel logs it (audit type 1326, in its own log where
no auditd runs). A call by another architecture's numbers, which no program of ours makes, ends the
process.
"""

import ctypes
import errno
import os
import platform
import struct
from typing import Final, NamedTuple

from tkm.sandbox.calls import NUMBERS, Calls, Rule


class Architecture(NamedTuple):
    """A processor as the filter sees it.

    :ivar audit: AUDIT_ARCH_* (linux/audit.h).
    :ivar column: of :data:`NUMBERS`.
    :ivar seccomp: the number of seccomp(2).
    """

    audit: int
    column: int
    seccomp: int


_ARCHITECTURES: Final = {
    "x86_64": Architecture(0xC000003E, 0, 317),
    "aarch64": Architecture(0xC00000B7, 1, 277),
}

_INSTRUCTION: Final = struct.Struct("=HBBI")
"""struct sock_filter: code, jump if true, jump if false, constant."""
_LOAD, _AND, _JUMP_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_ALU|BPF_AND|BPF_K, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K."""
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
"""Offsets in struct seccomp_data; six arguments of 64 bits follow from 16 on."""
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_KILL: Final = 0x80000000

_SET_MODE_FILTER: Final = 1
_FLAG_LOG: Final = 2


def install(calls: Calls) -> bool:
    """Allow this process these system calls and no others, for ever; it needs no_new_privs.

    Returns:
        Whether the kernel has the means: a filter, and an architecture that we have numbers of.

    Raises:
        OSError: the kernel refuses.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    program = compile_filter(calls, architecture)
    octets = ctypes.create_string_buffer(program, len(program))
    length = len(program) // _INSTRUCTION.size
    header = struct.pack("@HP", length, ctypes.addressof(octets))  # struct sock_fprog
    libc = ctypes.CDLL(None, use_errno=True)
    for flags in (_FLAG_LOG, 0):  # Linux before 4.14 does not log
        call = ctypes.c_long(architecture.seccomp)
        if not libc.syscall(call, _SET_MODE_FILTER, flags, header):
            return True
        number = ctypes.get_errno()
        if number == errno.ENOSYS:
            return False
        if number != errno.EINVAL:
            raise OSError(number, os.strerror(number), "seccomp")
    return False


def compile_filter(calls: Calls, architecture: Architecture) -> bytes:
    """The octets of a filter program."""
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for name, rule in calls.items():
        number = NUMBERS[name][architecture.column]
        if number is not None:
            body = _body(rule)
            program += [(_JUMP_EQUAL, 0, len(body), number), *body]
    program.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)


def _body(rule: Rule | None) -> list[tuple[int, int, int, int]]:
    """What is done about a call whose number is known; it always returns."""
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)
    if rule is None:
        return [allow]
    rest = len(rule.values)
    tests = [(_JUMP_EQUAL, rest - at, 0, value) for at, value in enumerate(rule.values)]
    low_half = 16 + 8 * rule.argument  # both architectures are little endian
    return [(_LOAD, 0, 0, low_half), (_AND, 0, 0, rule.mask), *tests, refuse, allow]
