# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's events, and the requests of the EES interface that they become."""

import errno
import socket
from collections.abc import Callable, Iterator
from enum import IntEnum
from struct import Struct

from tkm.rpc.ees import EsaAcquire, EsaExpire
from tkm.xfrm.abi import ACQUIRE, STATE, Message, Type
from tkm.xfrm.socket import NetlinkSocket

Event = EsaAcquire | EsaExpire
_ACQUIRE = Struct("=I12x280x")
"""struct nlmsghdr, of which only the length matters here, and struct xfrm_user_acquire."""
_TEMPLATE = Struct("=HH64x")
"""struct nlattr, and struct xfrm_user_tmpl."""


class Group(IntEnum):
    """Multicast groups."""

    ACQUIRE = 1
    EXPIRE = 2


class AcquireMessage(Message):
    """struct xfrm_user_acquire: ACQUIRE; the template has the reqid."""

    fields = ACQUIRE


class ExpireMessage(Message):
    """struct xfrm_user_expire: EXPIRE; the state, and whether it is gone."""

    fields = (*STATE, ("hard", "B"), ("pad2", "7s"))


class EventSocket(NetlinkSocket):
    """A NETLINK_XFRM socket of this network namespace that receives the events of its groups.

    Raises:
        KernelError: the kernel has no XFRM, or this process may not use it.
    """

    def events(self) -> Iterator[tuple[int, bytes]]:
        """What is waiting: message types, and messages from their header on.

        Events that were too many to be kept are lost, like packets; the kernel repeats acquires.
        """
        try:
            messages = self.receive(socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                return
            raise
        for kind, _sequence, message in messages:
            yield kind, message


def translate(kind: int, octets: bytes) -> Event | None:
    """The request that stands for an event; ``None``: nobody wants to know.

    :param octets: a netlink message, from its header on.
    """
    reader = _READERS.get(kind)
    return reader(octets) if reader else None


def rehearse() -> None:
    """Read an acquire that is all zeros: what the first one needs is in memory from then on.

    A packet waits for it, and in User-Mode Linux a page costs 0.1 ms.
    """
    acquire = _ACQUIRE.pack(_ACQUIRE.size + _TEMPLATE.size)
    translate(Type.ACQUIRE, acquire + _TEMPLATE.pack(_TEMPLATE.size, 5))


def _acquire(octets: bytes) -> EsaAcquire | None:
    template = _decoded(AcquireMessage, octets).get_attr("XFRMA_TMPL")
    return EsaAcquire(sp_id=template["reqid"]) if template else None


def _expire(octets: bytes) -> EsaExpire:
    state = _decoded(ExpireMessage, octets)
    return EsaExpire(
        sp_id=state["reqid"],
        spi_rem=bytes(state["id_spi"]),
        protocol=state["id_proto"],
        hard=bool(state["hard"]),
    )


def _decoded(kind: type[Message], octets: bytes) -> Message:
    message = kind(octets)
    message.decode()
    return message


_READERS: dict[int, Callable[[bytes], Event | None]] = {
    Type.ACQUIRE: _acquire,
    Type.EXPIRE: _expire,
}
