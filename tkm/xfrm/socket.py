# SPDX-License-Identifier: GPL-2.0-or-later
"""A NETLINK_XFRM socket: requests with their answers."""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from tkm.errors import KernelError
from tkm.rpc.wipe import wipe
from tkm.xfrm.abi import Message, Type

NETLINK_XFRM: Final = 6
_SOL_NETLINK: Final = 270
_ADD_MEMBERSHIP: Final = 1
_CAP_ACK: Final = 10
_EXT_ACK: Final = 11
_LONGEST: Final = 65536
"""Octets of a datagram from the kernel."""
_ERROR: Final = 2
_DONE: Final = 3
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP = 0x1, 0x4, 0x300
_FLAGS_AT: Final = 6
_HEADER: Final = struct.Struct("=IHHII")

M = TypeVar("M", bound=Message)


def make(kind: type[M], **values: Any) -> M:
    """A message with these fields; the others are zero."""
    message = kind()
    for name, layout in kind.fields:
        message[name] = values.pop(name, b"" if layout.endswith("s") else 0)
    message["attrs"] = values.pop("attrs", [])
    if values:
        raise TypeError(f"{kind.__name__} has no {', '.join(values)}")
    return message


def encode(kind: Type, message: Message) -> bytearray:
    """The octets of a request that wants to be acknowledged."""
    message["header"]["type"] = kind
    message["header"]["flags"] = _NLM_F_REQUEST | _NLM_F_ACK
    message.encode()
    octets: bytearray = message.data
    return octets


class NetlinkSocket:
    """One socket of this network namespace.

    :param groups: multicast groups whose events are wanted.
    :raises KernelError: the kernel has no XFRM, or this process may not use it.
    """

    def __init__(self, *groups: int) -> None:
        self._sequence = 0
        self._received = bytearray(_LONGEST)
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM)
            self._socket.bind((0, 0))
            # A refusal must not echo the request: the keys of a state are in it.
            self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
            for group in groups:
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError as error:
            raise KernelError(f"no NETLINK_XFRM: {error.strerror}") from error

    def fileno(self) -> int:
        """For a selector: an event is waiting."""
        return self._socket.fileno()

    def request(self, octets: bytearray) -> None:
        """Send a request and wait for its acknowledgement.

        :raises KernelError: the kernel refuses; ``errno`` says why.
        """
        for _acknowledgement in self._answers(octets):
            pass

    def dump(self, octets: bytearray) -> Iterator[bytes]:
        """Send a request for everything of a kind; yield each message, from its header on.

        Raises:
            KernelError: the kernel refuses.
        """
        struct.pack_into("=H", octets, _FLAGS_AT, _NLM_F_REQUEST | _NLM_F_DUMP)
        return self._answers(octets)

    def _answers(self, octets: bytearray) -> Iterator[bytes]:
        """Send a request; yield what comes before its acknowledgement, or before the last one.

        Raises:
            KernelError: the kernel refuses.
        """
        self._sequence += 1
        struct.pack_into("=I", octets, 8, self._sequence)
        try:
            self._socket.send(octets)
            while True:
                for kind, sequence, message in self.receive():
                    if sequence != self._sequence:
                        continue
                    if kind == _ERROR:
                        _raise_for(message[_HEADER.size :])
                    if kind in (_ERROR, _DONE):
                        return
                    yield message
        except OSError as error:
            raise KernelError(f"NETLINK_XFRM: {error.strerror}") from error

    def receive(self, flags: int = 0) -> list[tuple[int, int, bytes]]:
        """Type, sequence number and octets (from the header on) of each message of a datagram.

        The buffer is clean again afterwards.

        Raises:
            OSError: there is none.
        """
        with memoryview(self._received) as view:
            length = self._socket.recv_into(view, 0, flags)
            try:
                return list(_messages(view[:length]))
            finally:
                wipe(view[:length])

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def _messages(datagram: memoryview) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and octets (from the header on) of each message."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, _flags, sequence, _port = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size:
            return
        yield kind, sequence, bytes(datagram[at : at + length])
        at += length + 3 & ~3


class Refusal(KernelError):
    """The kernel refuses a request.

    :ivar errno: its reason.
    """

    def __init__(self, errno: int, explanation: str) -> None:
        super().__init__(explanation or os.strerror(errno))
        self.errno = errno


def _raise_for(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code:
        raise Refusal(-code, _explanation(body))


def _explanation(body: bytes) -> str:
    """The text of an extended acknowledgement (NLMSGERR_ATTR_MSG), if the kernel gives one."""
    (length,) = struct.unpack_from("=I", body, 4)
    for at in (4 + _HEADER.size, 4 + (length + 3 & ~3)):
        if at + 4 <= len(body):
            size, kind = struct.unpack_from("=HH", body, at)
            if kind == 1 and size > 4:
                return body[at + 4 : at + size].rstrip(b"\0").decode(errors="replace")
    return ""
