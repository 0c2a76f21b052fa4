# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations, all of which are valid."""

import re
from ipaddress import ip_address, ip_network
from itertools import chain
from typing import Any, Literal

from hypothesis import assume
from hypothesis import strategies as st

from tkm.config.policy import (
    HIGHEST_POLICY,
    Config,
    Lifetime,
    Local,
    LocalIdentity,
    Mode,
    Policy,
    Proposals,
    Remote,
    faults,
)

NAMES = st.from_regex(
    r"([A-Za-z0-9_/+-]{1,9}(\.[A-Za-z0-9_/+-]{1,9})?@)?[A-Za-z0-9_-]{1,9}(\.[A-Za-z0-9_-]{1,9})?",
    fullmatch=True,
).filter(lambda name: not re.fullmatch(r"[0-9.]+", name))  # that would be an address
FILES = st.from_regex(r"([A-Za-z0-9._@/+-]{0,20}/)?[A-Za-z0-9_@+-]{1,20}", fullmatch=True)
IDS = st.integers(1, 1 << 31)
OFFER = "aes256-sha512-modp4096"
PROPOSALS = st.builds(
    Proposals,
    ike=st.sampled_from(["", OFFER, f"{OFFER},aes256-sha512-modp3072-ke1_modp4096"]),
    esp=st.sampled_from(["", OFFER, "aes256-sha512-noesn", f"{OFFER}-esn-noesn,aes256-sha512"]),
)


def bounds(longest: int) -> st.SearchStrategy[Any]:
    """A soft bound and a hard one."""
    return st.tuples(st.integers(0, longest), st.integers(0, longest)).filter(
        lambda pair: not pair[1] or pair[0] < pair[1]
    )


SWITCHES = st.tuples(st.booleans(), st.booleans())
COUNTS = st.just((0, 0)) | bounds((1 << 63) - 1)
LIFETIMES = st.tuples(bounds(0xFFFFFFFF), COUNTS, COUNTS, st.integers(0, 0xFFFFFFFF)).map(
    lambda parts: Lifetime(*[*chain(*parts[:3]), parts[3]])
)


def addresses(version: Literal[4, 6]) -> st.SearchStrategy[Any]:
    return st.ip_addresses(v=version).filter(
        lambda ip: not (ip.is_unspecified or ip.is_multicast or str(ip) == "255.255.255.255")
    )


def networks(version: Literal[4, 6]) -> st.SearchStrategy[Any]:
    lengths = st.integers(0, 32 if version == 4 else 128)
    nets = st.tuples(addresses(version), lengths).map(
        lambda pair: ip_network(f"{pair[0]}/{pair[1]}", strict=False)
    )
    return nets.filter(lambda net: not net.is_multicast)


@st.composite
def policies(draw: Any, number: int, identity_id: int) -> Policy:
    version = draw(st.sampled_from([4, 6]))
    ours, theirs = draw(st.lists(addresses(version), min_size=2, max_size=2, unique=True))
    mode = draw(st.sampled_from(Mode))
    nets = [None, None]
    if mode is Mode.TUNNEL:
        inner = draw(st.sampled_from([4, 6]))
        hosts = st.none() if inner == version else st.nothing()
        nets = [draw(hosts | networks(inner)) for _ in nets]
    return Policy(
        number,
        mode,
        Local(identity_id, ours, nets[0]),
        Remote(
            draw(NAMES),
            theirs,
            nets[1],
            draw(st.integers(0, 9)),
            *draw(SWITCHES),
        ),
        draw(LIFETIMES),
        draw(PROPOSALS),
    )


@st.composite
def configs(draw: Any) -> Config:
    ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    identities = {number: LocalIdentity(number, draw(NAMES), draw(FILES)) for number in ids}
    numbers = draw(st.lists(st.integers(1, HIGHEST_POLICY), max_size=3, unique=True))
    drawn = {number: draw(policies(number, draw(st.sampled_from(ids)))) for number in numbers}
    config = Config(identities, drawn)
    # A peer that is ourselves, and policies of which none is more specific.
    assume(not any("of ours" in fault or " traffic " in fault for fault in faults(config)))
    return config


def tunnel() -> Config:
    """One policy between two networks."""
    policy = Policy(
        7,
        Mode.TUNNEL,
        Local(1, ip_address("192.168.0.1"), ip_network("10.1.0.0/16")),
        Remote("gw.example.org", ip_address("192.168.0.2"), ip_network("10.2.0.0/16")),
        Lifetime(30, 60),
    )
    return Config({1: LocalIdentity(1, "alice@example.org", "certs/aliceCert.pem")}, {7: policy})
