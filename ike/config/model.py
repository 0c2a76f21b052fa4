# SPDX-License-Identifier: GPL-2.0-or-later
"""What there can be configured, as values. Times are in seconds."""

from collections.abc import Collection
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
    """A Child SA that is configured.

    Attributes:
        reqid: Number of its policy in the TKM (``sp``); also that of the remote identity.
        proposals: ESP suites; those with groups are rekeyed with a key exchange (PFS).
        local_ts: Networks on our side; ``None``: our address of the IKE SA.
        remote_ts: Those on the peer's side.
        rekey_time: Age at which the TKM has it rekeyed, ``life_time``: removed; 0: not configured.
        dpd_action: ``trap`` when the peer is dead, ``close_action`` when it has deleted the Child
            SA: what the TKM's policies do anyway; ``none``: nothing.
        start_action: ``trap``: traffic sets it up, by the TKM's policies; ``start``: the daemon
            does so when it starts.
    """

    name: str
    reqid: int
    mode: Mode
    proposals: tuple[Suite, ...]
    local_ts: tuple[Network, ...] | None = None
    remote_ts: tuple[Network, ...] | None = None
    start_action: str = "trap"
    rekey_time: float = 0.0
    life_time: float = 0.0
    dpd_action: str = "none"
    close_action: str = "none"

    @property
    def offer(self) -> tuple[object, ...]:
        """What is negotiated: two with the same offer set up the same Child SA."""
        return self.reqid, self.mode, self.proposals, self.local_ts, self.remote_ts


class Connection(Value):
    """A peer, and how to set up SAs with it.

    Attributes:
        local_addrs: Our addresses; we initiate from the first one.
        remote_addrs: The peer's; we initiate to the first one.
        proposals: IKE suites.
        certificates: Ours, then intermediate CAs that the peer may need.
        local_number: The number of ``local_id`` in the TKM's configuration (``lc``), and so that of
            the key that signs.
        rekey_time: Age at which an IKE SA is rekeyed; 0: never.
        reauth_time: Age at which it is reauthenticated; 0: never.
        over_time: What it gets beyond the earlier of the two before it is deleted; ``None``: a
            tenth of the longer.
        rand_time: A random part of this is subtracted from both; ``None``: of ``over_time``.
        dpd_delay: Silence after which the peer is asked for a sign of life; 0: never.
        fragmentation: Long messages may be cut (RFC 7383).
        encap: ESP goes through UDP, whether there is a NAT or not.
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
    reauth_time: float = 0.0
    over_time: float | None = None
    rand_time: float | None = None
    dpd_delay: float = 0.0
    fragmentation: bool = True
    encap: bool = False
    local_number: int = 1

    def is_between(self, local: str, remote: str) -> bool:
        """It can be had between these two addresses."""
        return local in self.local_addrs and remote in self.remote_addrs

    def without(self, reqids: Collection[int]) -> "Connection":
        """The same without the children that have these reqids."""
        left = tuple(child for child in self.children if child.reqid not in reqids)
        if left == self.children:
            return self
        return Connection(
            **{name: getattr(self, name) for name in self._fields} | {"children": left}
        )

    @property
    def identities(self) -> tuple[Identity, Identity]:
        """Ours and the peer's: they stay the same when it is configured again."""
        return self.local_id, self.remote_id


class Authority(Value):
    """A CA that the TKM trusts.

    Attributes:
        number: That of the TKM's configuration (``ca``).
    """

    number: int
    certificate: Certificate


class Configuration(Value):
    """All of it.

    Attributes:
        authorities: The CAs that the TKM trusts.
        issuers: CAs below them, for peers that do not send their certificates.
    """

    connections: tuple[Connection, ...]
    authorities: tuple[Authority, ...]
    issuers: tuple[Certificate, ...] = ()

    def child(self, reqid: int) -> tuple[Connection, ChildConfig] | None:
        """The Child SA of a policy, and its connection."""
        for connection in self.connections:
            for child in connection.children:
                if child.reqid == reqid:
                    return connection, child
        return None
