# SPDX-License-Identifier: GPL-2.0-or-later
"""A name in the file system where clients connect, and who of them may."""

import contextlib
import errno
import logging
import os
import socket
import stat
import struct
import time
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple, Protocol

log = logging.getLogger(__name__)

_CREDENTIALS = struct.Struct("iII")
"""struct ucred: process, user, group."""


_PATIENCE = 1.0
"""Seconds for a process that has taken a name to listen at it."""


class Credentials(NamedTuple):
    """Of the process at the other end of a Unix socket, as the kernel gives them."""

    pid: int
    uid: int
    gid: int


def credentials(stream: socket.socket) -> Credentials:
    """Who is at the other end; at a client, who has called listen(2)."""
    octets = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Credentials(*_CREDENTIALS.unpack(octets))


class Peer(Protocol):
    """Who may connect."""

    def __call__(self, pid: int, uid: int, gid: int) -> bool: ...


class Listener:
    """A Unix stream socket that listens; one that nobody serves any more is replaced.

    :param mode: permissions of the socket.
    :param allowed: says who may connect, by the kernel's word (SO_PEERCRED); everybody by default.
    :raises OSError: somebody serves it, or the name cannot be taken.
    """

    def __init__(self, path: str, mode: int = 0o600, allowed: Peer | None = None) -> None:
        self._path = Path(path)
        self._allowed = allowed
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._bind(mode)
            self._socket.listen()
            self._socket.setblocking(False)
        except OSError as error:
            self._socket.close()
            raise OSError(error.errno, error.strerror, path) from error
        self._inode = _inode(self._path)
        self._spare = self._socket.dup()
        """A descriptor that is there to be given up."""

    def _bind(self, mode: int) -> None:
        if self._path.is_socket():
            if _is_served(self._path):
                raise OSError(errno.EADDRINUSE, "another process serves it")
            self._path.unlink()
        mask = os.umask(0o777 & ~mode)
        try:
            self._socket.bind(str(self._path))
        finally:
            os.umask(mask)

    def fileno(self) -> int:
        """For selectors: a client is waiting."""
        return self._socket.fileno()

    def accept(self) -> socket.socket | None:
        """The next client, non-blocking; ``None`` if there is none that may come in."""
        try:
            client, _ = self._socket.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._turn_away(error)
            return None
        pid, uid, gid = credentials(client)
        if self._allowed and not self._allowed(pid=pid, uid=uid, gid=gid):
            log.warning("Client refused at %s: process %d of user %d", self._path, pid, uid)
            client.close()
            return None
        client.setblocking(False)
        return client

    def _turn_away(self, reason: OSError) -> None:
        """Let a client in by the spare descriptor, and out at once.

        Left waiting, it would wake us at every turn for as long as no descriptor is free.
        """
        log.error("Client turned away at %s: %s", self._path, reason.strerror)
        with contextlib.suppress(OSError):
            self._spare.close()
            client, _ = self._socket.accept()
            client.close()
            self._spare = self._socket.dup()

    def close(self) -> None:
        """Take the name away, unless somebody else has taken it over, or we may not any more."""
        self._socket.close()
        self._spare.close()
        if _inode(self._path) == self._inode:
            with contextlib.suppress(PermissionError):
                self._path.unlink(missing_ok=True)


def check_unserved(path: str, users: Container[int]) -> None:
    """Check that no process of these users serves a socket, before anything is done that would
    disturb it.

    What others put there does not count, whatever it leads to: a socket of their own, or a link to
    one of a trusted user. Where the backlog is full there is no connection to take credentials
    from, and the owner of the name decides.

    Args:
        path: the name of the socket.
        users: user IDs.

    Raises:
        OSError: one of them serves it.
    """
    try:
        status = Path(path).lstat()
    except OSError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid not in users:
        return
    with _probe() as probe:
        try:
            probe.connect(path)
        except BlockingIOError:
            user = status.st_uid
        except OSError:
            return
        else:
            user = credentials(probe).uid
    if user in users:
        raise OSError(errno.EADDRINUSE, "another process serves it", path)


def claim(name: str, users: Container[int]) -> socket.socket:
    """Take a name of which there is one in a network namespace, until the socket is closed.

    It is an abstract one (unix(7)): the kernel gives it to one process, and takes it back when that
    ends, however it ends. Anybody can take such a name; that counts only of a process of these
    users, and one that has a full backlog is none of ours.

    Raises:
        OSError: one of them has it.
    """
    address, until = f"\0{name}", time.monotonic() + _PATIENCE
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            claimed.bind(address)
            claimed.listen()
            break
        try:
            with _probe() as probe:
                probe.connect(address)
                user = credentials(probe).uid
        except ConnectionRefusedError:  # it does not listen yet, or has just ended
            time.sleep(_PATIENCE / 100)
        except BlockingIOError:
            break
        else:
            if user in users:
                claimed.close()
                raise OSError(errno.EADDRINUSE, "another process has it", name)
            break
    return claimed


def _is_served(path: Path) -> bool:
    with _probe() as probe:
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


def _probe() -> socket.socket:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.setblocking(False)  # where a backlog is full, connect(2) would wait for ever
    return probe


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
