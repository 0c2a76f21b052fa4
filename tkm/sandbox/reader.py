# SPDX-License-Identifier: GPL-2.0-or-later
"""A process that opens files for a daemon which, in its sandbox, no longer can.

It is forked before there is a secret, gives up every right but to read, and opens the files of the
configuration alone. They go over as descriptors (SCM_RIGHTS, unix(7)): what is in them is never in
this process. It ends when the daemon does.
"""

import os
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from tkm import sandbox
from tkm.sandbox import calls, privileges

_LONGEST: Final = 1 << 17
"""Octets of a message: a path, an error, or the names in a folder."""
_PATIENCE: Final = struct.pack("@ll", 5, 0)
"""struct timeval: how long the answer may take, on a network file system for example."""
_ENDS_BY_ITSELF: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
_FILE, _NAMES, _ERROR = b"f", b"n", b"e"
"""First octet of a question and its answer: a descriptor is wanted, and comes along; names are, and
come separated by NUL; number and text of an error.
"""


def open_to_read(path: Path) -> int:
    """A descriptor of a file. A FIFO does not hold us up.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, calls.READ_FLAGS)


class Reader:
    """The process, as the daemon sees it.

    Args:
        allows: whether a file may be opened, or a folder be listed.
        user: whom to become.
        choice: of the sandbox, as for :func:`tkm.sandbox.enter`.
        open_file: opens a file there, unless it should not be trusted.

    Raises:
        OSError: there can be no such process.
    """

    def __init__(
        self,
        allows: Callable[[Path], bool],
        user: privileges.User | None = None,
        choice: str = sandbox.ENFORCE,
        open_file: Callable[[Path], int] = open_to_read,
    ) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            try:
                _confine(other.fileno(), user, choice)
                _serve(other, allows, open_file)
            finally:
                os._exit(0)
        other.close()
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)

    def open(self, path: Path) -> int:
        """A descriptor of a file, to be closed.

        Raises:
            OSError: it is not opened; ``strerror`` is the reason.
        """
        return self._ask(_FILE, path)[1][0]

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted.

        Raises:
            OSError: they cannot be read; ``strerror`` is the reason.
        """
        return sorted(
            os.fsdecode(name) for name in self._ask(_NAMES, folder)[0].split(b"\0") if name
        )

    def _ask(self, kind: bytes, path: Path) -> tuple[bytes, list[int]]:
        try:
            self._channel.send(kind + os.fsencode(path))
            answer, descriptors, *_ = socket.recv_fds(self._channel, _LONGEST, 1)
        except OSError:
            answer = b""
        if not answer:  # nor is a late answer taken for that to the next question
            self._channel.close()
            raise OSError(0, "the process that opens files has ended or hangs", str(path))
        if answer[:1] != kind:
            number, _, reason = os.fsdecode(answer[1:]).partition(" ")
            raise OSError(int(number), reason, str(path))
        return answer[1:], descriptors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()


def _confine(channel: int, user: privileges.User | None, choice: str) -> None:
    for number in _ENDS_BY_ITSELF:
        signal.signal(number, signal.SIG_IGN)
    os.closerange(3, channel)
    os.closerange(channel + 1, os.sysconf("SC_OPEN_MAX"))
    privileges.give_up(user)
    privileges.forbid_dumps()
    sandbox.enter(choice, calls.DAEMON | calls.READER)


def _serve(
    channel: socket.socket, allows: Callable[[Path], bool], open_file: Callable[[Path], int]
) -> None:
    while request := channel.recv(_LONGEST):
        path = Path(os.fsdecode(request[1:]))
        try:
            if not allows(path):
                raise PermissionError(0, "not a file of the configuration")
            if request[:1] == _NAMES:
                channel.send(_NAMES + b"\0".join(os.fsencode(each.name) for each in path.iterdir()))
            else:
                descriptor = open_file(path)
                socket.send_fds(channel, [_FILE], [descriptor])
                os.close(descriptor)
        except Exception as error:
            number, reason = getattr(error, "errno", 0), getattr(error, "strerror", "")
            answer = f"{number or 0} {reason or error}"
            channel.send(_ERROR + os.fsencode(answer)[: _LONGEST - 1])
