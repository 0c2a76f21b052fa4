# SPDX-License-Identifier: GPL-2.0-or-later
"""The UDP sockets of IKE, exempt from IPsec policies.

The TKM's policies cover all traffic between two hosts; without an exemption IKE itself would wait
for the Child SA that it is to bring up. The kernel takes one per socket: a policy that allows
whatever goes in or out there.
"""

import contextlib
import logging
import socket
import struct
from typing import Final

from ike import address
from ike.address import Endpoint
from ike.engine.context import Datagram
from ike.errors import ConfigError

log = logging.getLogger("ike")

_LONGEST = 65535

_POLICY_OPTIONS: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, 17),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 35),
}
"""Level and number of IP_XFRM_POLICY and IPV6_XFRM_POLICY (linux/in.h, linux/in6.h)."""

_SELECTOR = struct.Struct("=16s16s4H H3B 3x i I")
"""struct xfrm_selector (linux/xfrm.h): addresses, ports and masks, family, prefixes, protocol,
interface, user. Only the family is of interest: the rest is the socket's."""
_POLICY = struct.Struct("=56s 64x 32x II 4B 4x")
"""struct xfrm_userpolicy_info: selector, lifetimes, their use, priority, index, direction, action,
flags, share."""
_IN, _OUT, _ALLOW = 0, 1, 0

_UDP_ENCAP: Final = 100
_UDP_ENCAP_ESPINUDP: Final = 2
"""Socket option and its value (linux/udp.h, RFC 3948)."""


_RECEIVE_BUFFER = 4 << 20
"""Octets of the receive buffer: the first messages of some thousand clients that come at once."""
_SO_RCVBUFFORCE: Final = 33
"""As SO_RCVBUF, but beyond the system's limit (asm-generic/socket.h); it needs CAP_NET_ADMIN."""

_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
"""Memory of a socket (asm-generic/socket.h, linux/sock_diag.h: SK_MEMINFO_VARS); its third and
fourth numbers are the octets in the send buffer (with their overhead), and its size."""


def _exemption(family: socket.AddressFamily, direction: int) -> bytes:
    selector = _SELECTOR.pack(b"", b"", 0, 0, 0, 0, family, 0, 0, 0, 0, 0)
    return _POLICY.pack(selector, 0, 0, direction, _ALLOW, 0, 0)


class UdpSocket:
    """A socket on one local address.

    Args:
        takes_esp: Let the kernel take ESP in UDP from it, and drop keepalives.

    Raises:
        ConfigError: The address is not ours, or the port is taken.
    """

    def __init__(self, local: Endpoint, *, takes_esp: bool = False) -> None:
        self.local = local
        family = address.family(local.host)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._enlarge()
        self._exempt(family)
        if takes_esp:
            self._take_esp()
        try:
            self._socket.bind((local.host, local.port))
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"{local} cannot be used for IKE: {error.strerror}") from error

    def _enlarge(self) -> None:
        """Have room for what arrives while one handshake is computed."""
        for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, option, _RECEIVE_BUFFER)
                return

    def _exempt(self, family: socket.AddressFamily) -> None:
        level, option = _POLICY_OPTIONS[family]
        try:
            for direction in (_IN, _OUT):
                self._socket.setsockopt(level, option, _exemption(family, direction))
        except OSError as error:
            # Without CAP_NET_ADMIN another process has to install an exemption.
            log.warning("%s is not exempt from IPsec policies: %s", self.local, error.strerror)

    def _take_esp(self) -> None:
        try:
            self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_ENCAP, _UDP_ENCAP_ESPINUDP)
        except OSError as error:
            log.warning("%s carries no ESP: %s", self.local, error.strerror)

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def receive(self) -> tuple[bytes, Endpoint] | None:
        """Return the next datagram and its source; ``None`` if there is none."""
        try:
            octets, source = self._socket.recvfrom(_LONGEST)
        except BlockingIOError:
            return None
        except OSError as error:
            log.info("receiving on %s failed: %s", self.local, error.strerror)
            return None
        return octets, Endpoint(source[0], source[1])

    def send(self, datagram: Datagram) -> None:
        """Send a datagram; if the kernel cannot, it counts as lost.

        Datagrams wait in the send buffer while a neighbour's hardware address is asked for, three
        seconds if there is none: so half of the buffer is reserved for peers whose address is not
        forged.
        """
        if not datagram.proven and self._is_half_full():
            log.info("half of the send buffer is in use, a datagram to a new peer is dropped")
            return
        try:
            self._socket.sendto(datagram.octets, (datagram.remote.host, datagram.remote.port))
        except BlockingIOError:
            log.info("the send buffer is full, a datagram is dropped")
        except OSError as error:
            log.info("sending to %s failed: %s", datagram.remote, error.strerror)

    def _is_half_full(self) -> bool:
        meminfo = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        in_use, size = _MEMINFO.unpack(meminfo)[2:4]
        return bool(2 * in_use > size)

    def close(self) -> None:
        """Close it."""
        self._socket.close()
