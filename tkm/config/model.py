# SPDX-License-Identifier: GPL-2.0-or-later
"""Identities and policies: the only peers and the only traffic that the TKM lets come up."""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HIGHEST_POLICY: Final = 100
"""The highest policy id: it is a reqid on the EES interface, which goes no further."""


class Mode(Enum):
    """What ESP protects (RFC 4301, 4.1)."""

    TRANSPORT = "transport"
    TUNNEL = "tunnel"


@dataclass(frozen=True)
class LocalIdentity:
    """Who we are.

    :ivar identity: a domain name, or an address with ``@``.
    :ivar certificate: file name of our certificate, for the IKE daemon; the TKM has no use for it.
    """

    id: int
    identity: str
    certificate: str


@dataclass(frozen=True)
class Local:
    """Our end. ``net``, in tunnel mode, is what lies behind it."""

    identity_id: int
    ip: Address
    net: Network | None = None


@dataclass(frozen=True)
class Remote:
    """The peer's end, and who it must prove to be."""

    identity: str
    ip: Address
    net: Network | None = None


@dataclass(frozen=True)
class Lifetime:
    """Seconds after which a Child SA wants a successor (soft) and dies (hard); 0: never."""

    soft: int
    hard: int


@dataclass(frozen=True)
class Policy:
    """Traffic that must be protected, and with whom. ``id`` is the reqid in the kernel."""

    id: int
    mode: Mode
    local: Local
    remote: Remote
    lifetime: Lifetime

    @property
    def local_selector(self) -> Network:
        """Our side of the traffic."""
        return self.local.net or _host(self.local.ip)

    @property
    def remote_selector(self) -> Network:
        """The peer's side of the traffic."""
        return self.remote.net or _host(self.remote.ip)

    def __str__(self) -> str:
        if self.local.net or self.remote.net:
            ends = (self.local_selector, ">", self.local.ip, "<=>", self.remote.ip, "<")
            return " ".join(map(str, (*ends, self.remote_selector)))
        arrow = "<->" if self.mode is Mode.TRANSPORT else "<=>"
        return f"{self.local.ip} {arrow} {self.remote.ip}"


def _host(ip: Address) -> Network:
    return IPv4Network(ip) if isinstance(ip, IPv4Address) else IPv6Network(ip)


@dataclass(frozen=True)
class Config:
    """All that is configured, by id."""

    local_identities: dict[int, LocalIdentity]
    policies: dict[int, Policy]


def faults(config: Config) -> list[str]:
    """What does not fit together, each in one line; empty: nothing."""
    return [
        f"policy {policy.id}: {fault}"
        for policy in config.policies.values()
        for fault in _policy_faults(policy, config)
    ]


def _policy_faults(policy: Policy, config: Config) -> list[str]:
    local, remote, lifetime = policy.local, policy.remote, policy.lifetime
    nets = [net for net in (local.net, remote.net) if net]
    rules = (
        (policy.id not in range(1, HIGHEST_POLICY + 1), f"id is not in 1 to {HIGHEST_POLICY}"),
        (
            local.identity_id not in config.local_identities,
            f"there is no local identity {local.identity_id}",
        ),
        (local.ip.version != remote.ip.version, "one end is IPv4, the other IPv6"),
        (local.ip == remote.ip, "both ends have the same address"),
        (bool(nets) and policy.mode is Mode.TRANSPORT, "net needs mode tunnel"),
        (len({net.version for net in nets}) > 1, "one net is IPv4, the other IPv6"),
        (not remote.identity, "the remote identity is empty"),
        (
            bool(lifetime.hard) and lifetime.soft >= lifetime.hard,
            f"soft lifetime {lifetime.soft} is not below hard lifetime {lifetime.hard}",
        ),
    )
    return [fault for broken, fault in rules if broken]
