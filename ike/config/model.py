# SPDX-License-Identifier: GPL-2.0-or-later
"""What there can be configured, as values. Times are in seconds."""

from enum import Enum

from ike.address import Network
from ike.config.proposals import Suite
from ike.identity import Identity
from ike.value import Value
from ike.x509 import Certificate


class Mode(Enum):
    """How ESP wraps packets (RFC 4301, 3.2)."""

    TRANSPORT = "transport"
    TUNNEL = "tunnel"


class ChildConfig(Value):
    """A Child SA that may be.

    :ivar reqid: number of its policy in the TKM (``sp``); also that of the remote identity.
    :ivar proposals: ESP suites; those with groups are rekeyed with a key exchange (PFS).
    :ivar local_ts: networks on our side; ``None``: our address of the IKE SA.
    :ivar remote_ts: those on the peer's side.
    :ivar start_action: ``trap``: the TKM's policies raise it; ``start``: the daemon does at once.
    """

    name: str
    reqid: int
    mode: Mode
    proposals: tuple[Suite, ...]
    local_ts: tuple[Network, ...] | None = None
    remote_ts: tuple[Network, ...] | None = None
    start_action: str = "trap"


class Connection(Value):
    """A peer, and how to speak with it.

    :ivar local_addrs: our addresses; the first one is where we initiate from.
    :ivar remote_addrs: the peer's; the first one is where we initiate to.
    :ivar proposals: IKE suites.
    :ivar certificates: ours, then intermediate CAs that the peer may need.
    :ivar rekey_time: age at which an IKE SA is rekeyed; 0: never.
    :ivar dpd_delay: silence after which the peer is asked for a sign of life; 0: never.
    :ivar fragmentation: long messages may be cut (RFC 7383).
    """

    name: str
    local_addrs: tuple[str, ...]
    remote_addrs: tuple[str, ...]
    proposals: tuple[Suite, ...]
    local_id: Identity
    remote_id: Identity
    certificates: tuple[Certificate, ...]
    children: tuple[ChildConfig, ...]
    rekey_time: float = 14400.0
    dpd_delay: float = 0.0
    fragmentation: bool = True


class Authority(Value):
    """A CA that the TKM trusts.

    :ivar number: that of the TKM's configuration (``ca``).
    """

    number: int
    certificate: Certificate


class Configuration(Value):
    """All of it."""

    connections: tuple[Connection, ...]
    authorities: tuple[Authority, ...]

    def child(self, reqid: int) -> tuple[Connection, ChildConfig] | None:
        """The Child SA of a policy, and its connection."""
        for connection in self.connections:
            for child in connection.children:
                if child.reqid == reqid:
                    return connection, child
        return None
