# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon stretches the authentication for one policy to another: only where both ask for it.

Policy 1 is what the peer is authenticated for. Each other one differs from it in one respect.
"""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.test_preconditions import first, refused, without_pfs
from tests.unit.trusted import config_of, host, identity
from tkm.config.policy import LocalIdentity, Policy, Proposals
from tkm.core.kinds import EspSa
from tkm.core.quota import QUOTAS
from tkm.rpc.result import Result

AUTHENTICATED = config_of("alice").policies[1]
LOCAL, REMOTE = AUTHENTICATED.local, AUTHENTICATED.remote
LIFETIME = AUTHENTICATED.lifetime
OTHERS: dict[str, dict[str, Any]] = {
    "another peer": {"remote": replace(REMOTE, identity=identity("carol"))},
    "the peer at another address": {"remote": replace(REMOTE, ip=ip_address("192.168.0.3"))},
    "another identity of ours": {"local": replace(LOCAL, identity_id=2)},
    "another address of ours": {"local": replace(LOCAL, ip=ip_address("192.168.0.4"))},
    "one CA alone": {"remote": replace(REMOTE, ca=1)},
    "a name in subjectAltName alone": {"remote": replace(REMOTE, require_san=True)},
    "signatures with SHA-1": {"remote": replace(REMOTE, allow_sha1=True)},
    "other algorithms for IKE": {"proposals": Proposals(ike="aes256gcm16-prfsha384-modp3072")},
    "an authentication that ends earlier": {"lifetime": replace(LIFETIME, authentication=9)},
}
NET: dict[str, Any] = {
    "local": replace(LOCAL, net=ip_network("10.1.0.0/16")),
    "remote": replace(REMOTE, net=ip_network("10.2.0.0/16")),
}


def authenticated(second: Policy) -> Conversation:
    """Alice has authenticated bob for policy 1, and has a second one."""
    config = config_of("alice")
    config.policies[2] = second
    config.local_identities[2] = LocalIdentity(2, "other@tkm-lab.test", "otherCert.pem")
    talk = Conversation(host("alice", config), host("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth()
    return talk


@pytest.mark.parametrize("differs", OTHERS)
def test_nothing_comes_up_for_a_policy_that_asks_for_another_authentication(differs: str) -> None:
    talk = authenticated(replace(AUTHENTICATED, id=2, **OTHERS[differs]))
    with refused(Result.AUTH_FAILURE):
        first(talk.initiator, sp=2)
    assert talk.initiator.host.kernel.states == set()
    first(talk.initiator)
    with refused(Result.AUTH_FAILURE):
        without_pfs(talk.initiator, sp=2, spi_loc=b"\xc0\0\0\3")
    assert len(talk.initiator.host.kernel.pairs) == 1


def test_the_authentication_holds_for_another_net_of_the_same_peer() -> None:
    """Its states are those of the policy that was asked for, and of no other."""
    second = replace(AUTHENTICATED, id=2, **NET, lifetime=replace(LIFETIME, soft=7, hard=9))
    talk = authenticated(second)
    first(talk.initiator)
    without_pfs(talk.initiator, sp=2, spi_loc=b"\xc0\0\0\3", spi_rem=b"\xc0\0\0\4")
    pairs = talk.initiator.host.kernel.pairs
    installed = {spi: pair.policy for spi, pair in pairs.items()}
    assert installed == {b"\xc0\0\0\1": AUTHENTICATED, b"\xc0\0\0\3": second}


def test_each_policy_of_a_peer_has_a_quota_of_its_own() -> None:
    """Whoever fills one policy's neither takes the other's, nor gets more by way of it."""
    talk = authenticated(replace(AUTHENTICATED, id=2, **NET))
    alice, spi = talk.initiator, iter(range(1, 1000))
    first(alice, esa=1000)

    def another(sp: int) -> None:
        number = next(spi)
        octets = number.to_bytes(3, "big")
        spis: dict[str, Any] = {"spi_loc": b"\xc1" + octets, "spi_rem": b"\xc2" + octets}
        without_pfs(alice, esa=number, sp=sp, **spis)

    for sp, standing in ((1, 1), (2, 0)):
        for _ in range(standing, QUOTAS[EspSa]):
            another(sp)
        with refused(Result.QUOTA_EXCEEDED):
            another(sp)
    assert len(alice.host.kernel.pairs) == 2 * QUOTAS[EspSa]
