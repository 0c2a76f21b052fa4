# SPDX-License-Identifier: GPL-2.0-or-later
"""`large_registers.py COMMAND…`: run a command as if this processor had AMX.

The command sees an extended register set of 11,008 octets, and a `PTRACE_SETREGSET` of a shorter
one is refused with EFAULT, as Linux does there. A seccomp filter passes both calls to a supervisor
(seccomp_unotify(2)), which answers them or lets them go on. Longer buffers go on: Linux cuts them
to the set's real length.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import threading
from pathlib import Path

SIZE = 11008
"""Octets of the set on processors with AMX."""

_SYS_SECCOMP, _SYS_PTRACE = 317, 101  # x86_64
_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3
_PR_SET_NO_NEW_PRIVS = 38
_GETREGSET, _SETREGSET, _XSTATE = 0x4204, 0x4205, 0x202
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFICATION = struct.Struct("=QII iI Q 6Q")
"""id, pid, flags; number, architecture, instruction pointer, six arguments."""
_RESPONSE = struct.Struct("=QqiI")
"""id, value, error, flags."""
_CONTINUE = 1
_OURS = 4096
"""Octets from which on a buffer for PTRACE_GETREGSET is the lab's, and not User-Mode Linux's."""


def _filter() -> bytes:
    """ptrace(GETREGSET or SETREGSET, …) to the supervisor, all else allowed."""
    load, equal, result = 0x20, 0x15, 0x06
    program = [
        (load, 0, 0, 0),
        (equal, 0, 4, _SYS_PTRACE),
        (load, 0, 0, 16),
        (equal, 1, 0, _GETREGSET),
        (equal, 0, 1, _SETREGSET),
        (result, 0, 0, 0x7FC00000),  # SECCOMP_RET_USER_NOTIF
        (result, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _install() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    octets = _filter()
    buffer = ctypes.create_string_buffer(octets, len(octets))
    program = struct.pack("@HxxxxxxP", len(octets) // 8, ctypes.addressof(buffer))
    listener = libc.syscall(_SYS_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, program)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return int(listener)


def _answer(request: tuple[int, ...]) -> bytes:
    number, pid, *_, call, _tracee, regset, vector, _unused, _empty = request
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        memory.seek(vector + 8)
        length = int.from_bytes(memory.read(8), "little")
        if call == _GETREGSET and regset == _XSTATE and length > _OURS:
            memory.seek(vector + 8)
            memory.write(SIZE.to_bytes(8, "little"))
            return _RESPONSE.pack(number, 0, 0, 0)
    if call == _SETREGSET and regset == _XSTATE and length < SIZE:
        return _RESPONSE.pack(number, 0, -errno.EFAULT, 0)
    return _RESPONSE.pack(number, 0, 0, _CONTINUE)


def _supervise(listener: int, end: int) -> None:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(end, select.POLLIN)
    while True:
        for fd, events in poll.poll():
            if fd == end or not events & select.POLLIN:
                return
            _serve(listener)


def _serve(listener: int) -> None:
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
        response = _answer(_NOTIFICATION.unpack(buffer))
        fcntl.ioctl(listener, _SEND, bytearray(response))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESRCH, errno.EIO):  # it was killed meanwhile
            raise


def run(command: list[str]) -> int:
    """Run a command on such a processor; return its exit code."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        listener = _install()
        socket.send_fds(theirs, [b"x"], [listener])
        os.close(listener)
        os.execvp(command[0], command)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    listener = fds[0]
    end, ended = os.pipe()
    supervisor = threading.Thread(target=_supervise, args=(listener, end))
    supervisor.start()
    _, status = os.waitpid(child, 0)
    os.write(ended, b"x")
    supervisor.join()
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
