# SPDX-License-Identifier: GPL-2.0-or-later
"""Identities and policies: the only peers and the only traffic that the TKM lets come up."""

import re
from collections.abc import Hashable, Iterator, Set
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from tkm.config.traffic import Selectors, overlaps
from tkm.errors import ConfigError
from tkm.identity import parse
from tkm.proposals import ESP_DEFAULT, IKE_DEFAULT, Proposal
from tkm.proposals import parse as parse_proposals

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HIGHEST_POLICY: Final = 0xFFFFFFFF
"""The highest policy id: it is a reqid in the kernel."""
HIGHEST_IN_GENERATION_1: Final = 100
"""charon-tkm knows no higher one."""

_LONGEST: Final = {"seconds": 0xFFFFFFFF, "bytes": (1 << 63) - 1, "packets": (1 << 63) - 1}
"""Lifetimes: what the kernel counts in, and TOML can say."""

_FILE: Final = re.compile(r"([A-Za-z0-9._@/+-]*/)?(?!\.{1,2}\Z)[A-Za-z0-9._@+-]+")
"""Files: characters that mean nothing else in any file that we write."""
_BROADCAST: Final = ip_address("255.255.255.255")


class Mode(Enum):
    """What ESP protects (RFC 4301, 4.1)."""

    TRANSPORT = "transport"
    TUNNEL = "tunnel"


@dataclass(frozen=True)
class LocalIdentity:
    """Who we are.

    :ivar identity: as :func:`tkm.identity.parse` reads it.
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
    """The peer's end, and who it must prove to be.

    :ivar ca: number of the one CA that its chain must begin with; 0: any that is trusted.
    :ivar require_san: only a subjectAltName names it, never the subject of its certificate.
    :ivar allow_sha1: AUTH method 1 (RFC 7296, 3.8), which is RSA with SHA-1, is accepted from it
        and made for it. Generation 1 of the protocol knows no other and needs no leave.
    """

    identity: str
    ip: Address
    net: Network | None = None
    ca: int = 0
    require_san: bool = False
    allow_sha1: bool = False


@dataclass(frozen=True)
class Lifetime:
    """When a Child SA wants a successor (soft) and dies (hard): seconds, octets, packets; 0: never.

    Whichever is reached first counts. Octets and packets are those of one direction.

    :ivar authentication: for how many seconds an authentication of the peer holds; then it must
        authenticate again. 0: as long as the certificates of its chain are valid.
    """

    soft: int
    hard: int
    soft_bytes: int = 0
    hard_bytes: int = 0
    soft_packets: int = 0
    hard_packets: int = 0
    authentication: int = 0

    @property
    def bounds(self) -> dict[str, tuple[int, int]]:
        """Soft and hard bounds by what they count."""
        return {
            "seconds": (self.soft, self.hard),
            "bytes": (self.soft_bytes, self.hard_bytes),
            "packets": (self.soft_packets, self.hard_packets),
        }


@dataclass(frozen=True)
class Proposals:
    """What may be negotiated, in strongSwan's words; empty: what the original TKM can."""

    ike: str = ""
    esp: str = ""

    @cached_property
    def for_ike(self) -> tuple[Proposal, ...]:
        """What an IKE SA may have."""
        return parse_proposals(self.ike or IKE_DEFAULT, esp=False)

    @cached_property
    def for_esp(self) -> tuple[Proposal, ...]:
        """What a Child SA may have."""
        return parse_proposals(self.esp or ESP_DEFAULT, esp=True)


@dataclass(frozen=True)
class Policy:
    """Traffic that must be protected, and with whom. ``id`` is the reqid in the kernel."""

    id: int
    mode: Mode
    local: Local
    remote: Remote
    lifetime: Lifetime
    proposals: Proposals = Proposals()

    @property
    def authentication(self) -> tuple[Local, Remote, int, str]:
        """Who must prove what to whom, under which algorithms, and for how long.

        That is all but the traffic that it is for.

        Policies in which it is the same are meant by one authentication.
        """
        ends = replace(self.local, net=None), replace(self.remote, net=None)
        return *ends, self.lifetime.authentication, self.proposals.ike

    @property
    def local_selector(self) -> Network:
        """Our side of the traffic."""
        return self.local.net or _host(self.local.ip)

    @property
    def remote_selector(self) -> Network:
        """The peer's side of the traffic."""
        return self.remote.net or _host(self.remote.ip)

    @property
    def selectors(self) -> Selectors:
        """Both sides of the traffic."""
        return Selectors(self.local_selector, self.remote_selector)

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
    return [fault for found in faults_of_each(config).values() for fault in found]


def faults_of_each(config: Config) -> dict[LocalIdentity | Policy, list[str]]:
    """What does not fit together, by whose fault it is: only those that have one.

    Each thing is looked at once, so that the time grows with their number.
    """
    ours: set[Hashable] = {each.local.ip for each in config.policies.values()}
    ours |= {_folded(each.identity) for each in config.local_identities.values()}
    rivals = _rivals(config)
    found: dict[LocalIdentity | Policy, list[str]] = {
        identity: [f"local identity {identity.id}: {fault}" for fault in _identity_faults(identity)]
        for identity in config.local_identities.values()
    }
    for policy in config.policies.values():
        reasons = [*_policy_faults(policy, config, ours), *filter(None, [rivals.get(policy.id)])]
        found[policy] = [f"policy {policy.id}: {fault}" for fault in reasons]
    return {each: reasons for each, reasons in found.items() if reasons}


def _identity_faults(identity: LocalIdentity) -> list[str]:
    rules = (
        (identity.id < 1, "id is not 1 or more"),
        _unless_identity(identity.identity),
        (not _FILE.fullmatch(identity.certificate), f"'{identity.certificate}' is no file name"),
    )
    return [fault for broken, fault in rules if broken]


def _policy_faults(policy: Policy, config: Config, ours: Set[Hashable]) -> list[str]:
    local, remote = policy.local, policy.remote
    nets = [net for net in (local.net, remote.net) if net]
    rules = (
        (policy.id not in range(1, HIGHEST_POLICY + 1), f"id is not in 1 to {HIGHEST_POLICY}"),
        (
            local.identity_id not in config.local_identities,
            f"there is no local identity {local.identity_id}",
        ),
        (local.ip.version != remote.ip.version, "one end is IPv4, the other IPv6"),
        (local.ip == remote.ip, "both ends have the same address"),
        (
            remote.ip != local.ip and remote.ip in ours,
            f"the peer's address {remote.ip} is an address of ours in another policy",
        ),
        (
            _folded(remote.identity) in ours,
            f"the peer's identity '{remote.identity}' is one of ours",
        ),
        *(
            (not _is_of_one_host(ip), f"{ip} is not the address of one host")
            for ip in (local.ip, remote.ip)
        ),
        (any(net.is_multicast for net in nets), "a net is multicast, for which IKE has no keys"),
        (bool(nets) and policy.mode is Mode.TRANSPORT, "net needs mode tunnel"),
        (
            bool(nets) and policy.local_selector.version != policy.remote_selector.version,
            "one net is IPv4, the other IPv6",
        ),
        _unless_identity(remote.identity),
        (
            any("%" in str(end) for end in (local.ip, remote.ip, *nets)),
            "an address with a zone means nothing to IPsec",
        ),
        (remote.ca < 0, f"there is no CA {remote.ca}"),
        *_lifetime_rules(policy.lifetime),
    )
    faults = [fault for broken, fault in rules if broken]
    return [*faults, *_proposal_faults(policy.proposals)]


def _is_of_one_host(ip: Address) -> bool:
    return not (ip.is_unspecified or ip.is_multicast or ip == _BROADCAST)


def _unless_identity(text: str) -> tuple[bool, str]:
    """Whether that is broken, and why."""
    try:
        parse(text)
    except ValueError as error:
        return True, str(error)
    return False, ""


def _folded(text: str) -> Hashable:
    """Identities that differ in nothing but how they are written are the same."""
    try:
        return parse(text).canonical
    except ValueError:
        return text


def check_generation_1(config: Config) -> None:
    """Check that charon-tkm knows all policy ids, and that its only local identity is enough.

    :raises ConfigError: one is too high, or a policy has another local identity than 1.
    """
    if (highest := max(config.policies, default=0)) > (most := HIGHEST_IN_GENERATION_1):
        raise ConfigError(f"policy {highest}: id is not in 1 to {most}, as generation 1 needs it")
    for policy in config.policies.values():
        if policy.local.identity_id != 1:
            raise ConfigError(f"policy {policy.id}: generation 1 signs for local identity 1 alone")


def warnings(config: Config) -> list[str]:
    """What is allowed, but hardly meant, each in one line."""
    return [
        f"policy {policy.id}: {doubt}"
        for policy in config.policies.values()
        for doubtful, doubt in (
            (not policy.lifetime.hard, "hard lifetime 0: its keys are used for ever"),
            (
                bool(policy.lifetime.hard) and not policy.lifetime.soft,
                "soft lifetime 0: nothing takes the place of a Child SA before it ends",
            ),
        )
        if doubtful
    ]


def _rivals(config: Config) -> dict[int, str]:
    """Policies, by id, for whose traffic another one is as good: neither could come first."""
    selectors = {policy.id: policy.selectors for policy in config.policies.values()}
    return {
        number: f"it protects the same traffic as policy {other}"
        if selectors[number] == selectors[other]
        else f"some of its traffic is that of policy {other}, and neither is more specific"
        for number, other in overlaps(selectors)
        if other < number and selectors[number].breadth == selectors[other].breadth
    }


def _lifetime_rules(lifetime: Lifetime) -> list[tuple[bool, str]]:
    longest, authentication = _LONGEST["seconds"], lifetime.authentication
    fault = f"the lifetime of an authentication is not 0 to {longest} seconds"
    return [(not 0 <= authentication <= longest, fault)] + [
        rule
        for unit, (soft, hard) in lifetime.bounds.items()
        for rule in (
            (
                not 0 <= soft <= _LONGEST[unit] or not 0 <= hard <= _LONGEST[unit],
                f"a lifetime is not 0 to {_LONGEST[unit]} {unit}",
            ),
            (
                bool(hard) and soft >= hard,
                f"soft lifetime {soft} is not below hard lifetime {hard} {unit}",
            ),
        )
    ]


def _proposal_faults(proposals: Proposals) -> Iterator[str]:
    for text, esp in ((proposals.ike, False), (proposals.esp, True)):
        try:
            for offer in parse_proposals(text, esp=esp) if text else ():
                following = [each for position in offer.additional.values() for each in position]
                methods = [each.id for each in (*offer.methods, *filter(None, following))]
                if len(set(methods)) < len(methods):
                    yield f"'{text}' has one group twice, which adds nothing (RFC 9370)"
        except ValueError as error:
            yield str(error)
