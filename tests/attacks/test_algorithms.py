# SPDX-License-Identifier: GPL-2.0-or-later
"""A subverted IKE daemon agrees with the peer on what the policy does not allow."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.tkm.conversation import MODP_2048, MODP_3072, MODP_4096, Conversation
from tests.unit.trusted import Host, config_of, host
from tkm.algorithms import number_of
from tkm.config.policy import Proposals
from tkm.core.kinds import EspSa, IkeSa
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result

WEAKER_IKE = number_of(12, 16, 12, 5)
"""AES-CBC-128, HMAC-SHA2-256-128, PRF-HMAC-SHA2-256."""
WEAKER_ESP = number_of(12, 16, 12)
SPIS: dict[str, Any] = {"spi_loc": b"\xc0\0\0\1", "spi_rem": b"\xc0\0\0\2"}


def refused(alice: Host, request: Any) -> None:
    """It is refused as what there is not; nothing is installed."""
    with pytest.raises(Refused) as caught:
        alice.client.call(request)
    assert caught.value.result is Result.INVALID_ID
    assert not alice.kernel.states


def authenticated(method: int = MODP_3072, ia: int = 1, **proposals: str) -> Conversation:
    """Alice, whose policy has such proposals, and bob, who agrees with her daemon on anything."""
    config = config_of("alice")
    policy = replace(config.policies[1], proposals=Proposals(**proposals))
    talk = Conversation(host("alice", replace(config, policies={1: policy})), host("bob"))
    talk.ike_sa_init(method, ia)
    return talk


@pytest.mark.parametrize("method", [MODP_2048, MODP_3072])
@pytest.mark.parametrize("proposals", [{}, {"ike": "aes256gcm16-prfsha384-modp4096"}])
def test_a_peer_is_not_authenticated_under_weaker_algorithms(
    method: int, proposals: dict[str, str]
) -> None:
    talk = authenticated(method, WEAKER_IKE, **proposals)
    signature = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    talk.check_chain(*talk.ends)
    with pytest.raises(Refused) as caught:
        talk.authenticate(*talk.ends, signature)
    assert caught.value.result is Result.INVALID_ID


def test_a_peer_is_not_authenticated_after_a_weaker_key_exchange() -> None:
    talk = authenticated(MODP_2048)
    signature = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    talk.check_chain(*talk.ends)
    with pytest.raises(Refused) as caught:
        talk.authenticate(*talk.ends, signature)
    assert caught.value.result is Result.INVALID_ID


@pytest.mark.parametrize("ea", [WEAKER_ESP, number_of(20, 32), number_of(12, 32, 12), 2])
def test_a_child_sa_has_no_other_algorithms(ea: int) -> None:
    talk = authenticated()
    talk.ike_auth()
    alice = talk.initiator.host
    refused(alice, rpc2.EsaCreateFirst(esa=1, isa=1, sp=1, ea=ea, **SPIS))
    talk.skip_first()
    talk.exchange_keys(MODP_3072)
    common = {"esa": 1, "isa": 1, "sp": 1, "ea": ea, "nc_loc": 1, "initiator": True, **SPIS}
    nonce = talk.responder.nonce
    refused(alice, rpc2.EsaCreate(**common, ke=(1,), nonce_rem=nonce))
    refused(alice, rpc2.EsaCreateNoPfs(**common, nonce_rem=nonce))
    assert not len(alice.manager.contexts.store(EspSa))


@pytest.mark.parametrize(("ia", "method"), [(WEAKER_IKE, MODP_3072), (1, MODP_2048)])
def test_an_ike_sa_is_not_replaced_by_a_weaker_one(ia: int, method: int) -> None:
    talk = authenticated()
    talk.ike_auth()
    talk.first_child()
    alice = talk.initiator.host
    talk.exchange_keys(method)
    request = rpc2.IsaCreateChild(
        isa=2, parent=1, ia=ia, ke=(1,), nc_loc=1, nonce_rem=talk.responder.nonce,
        initiator=True, spi_loc=b"l" * 8, spi_rem=b"r" * 8,
    )  # fmt: skip
    with pytest.raises(Refused) as caught:
        alice.client.call(request)
    assert caught.value.result is Result.INVALID_ID
    assert len(alice.manager.contexts.store(IkeSa)) == 1


def test_what_the_policy_names_is_allowed() -> None:
    talk = authenticated(
        MODP_2048, WEAKER_IKE, ike="aes128-sha256-modp2048", esp="aes256-sha512,aes128gcm16"
    )
    signature = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    talk.check_chain(*talk.ends)
    talk.authenticate(*talk.ends, signature)
    ea = number_of(20, 16)
    talk.initiator.call(rpc2.EsaCreateFirst(esa=1, isa=1, sp=1, ea=ea, **SPIS))
    assert len(talk.initiator.host.kernel.states) == 1


HYBRID = "aes256-sha512-modp3072-ke1_modp4096"


def intermediate(talk: Conversation, *methods: int) -> Result | None:
    """What comes of the authentication after further key exchanges."""
    for method in methods:
        talk.ike_intermediate(method)
    signature = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    talk.check_chain(*talk.ends)
    try:
        talk.authenticate(*talk.ends, signature)
    except Refused as refusal:
        return refusal.result
    return None


@pytest.mark.parametrize(
    ("ike", "methods", "is_allowed"),
    [
        (HYBRID, [], False),
        (HYBRID, [MODP_2048], False),
        (HYBRID, [MODP_4096], True),
        (HYBRID, [MODP_4096, MODP_2048], True),
        (HYBRID, [MODP_2048, MODP_4096], True),
        (f"{HYBRID}-ke1_none", [], True),
        (f"{HYBRID}-ke2_modp2048", [MODP_2048, MODP_4096], False),
        (f"{HYBRID}-ke2_modp2048", [MODP_4096, MODP_2048], True),
        (f"{HYBRID}-ke1_none-ke2_modp2048", [MODP_2048], True),
        (f"{HYBRID}-ke1_none-ke2_modp2048", [MODP_4096], False),
    ],
)
def test_further_key_exchanges_are_not_left_out(
    ike: str, methods: list[int], is_allowed: bool
) -> None:
    """Else what is meant to withstand a quantum computer would rest on the first one alone."""
    result = intermediate(authenticated(ike=ike), *methods)
    assert result is (None if is_allowed else Result.INVALID_ID)


def test_proposals_are_not_mixed() -> None:
    """The suite of one with the key exchange of another."""
    ike = "aes256-sha512-modp4096,aes256gcm16-prfsha384-modp3072"
    gcm = number_of(20, 32, 0, 6)
    assert intermediate(authenticated(MODP_3072, 1, ike=ike)) is Result.INVALID_ID
    assert intermediate(authenticated(MODP_4096, gcm, ike=ike)) is Result.INVALID_ID
    assert intermediate(authenticated(MODP_4096, 1, ike=ike)) is None
    assert intermediate(authenticated(MODP_3072, gcm, ike=ike)) is None


def test_an_ike_sa_is_not_replaced_without_its_further_key_exchange() -> None:
    talk = authenticated(ike=HYBRID)
    assert intermediate(talk, MODP_4096) is None
    talk.initiator.call(rpc2.IsaSkipCreateFirst(isa=1))
    talk.initiator.call(rpc2.CcReset(cc=1))
    talk.exchange_keys(MODP_3072, MODP_4096)
    common: dict[str, Any] = {
        "isa": 2, "parent": 1, "ia": 1, "nc_loc": 1, "nonce_rem": talk.responder.nonce,
        "initiator": True, "spi_loc": b"l" * 8, "spi_rem": b"r" * 8,
    }  # fmt: skip
    refused(talk.initiator.host, rpc2.IsaCreateChild(**common, ke=(1,)))
    refused(talk.initiator.host, rpc2.IsaCreateChild(**common, ke=(2, 1)))
    talk.initiator.call(rpc2.IsaCreateChild(**common, ke=(1, 2)))


def test_a_child_sa_has_no_weaker_key_exchange() -> None:
    talk = authenticated(esp="aes256-sha512-modp3072")
    talk.ike_auth()
    talk.skip_first()
    talk.exchange_keys(MODP_2048)
    common: dict[str, Any] = {"esa": 1, "isa": 1, "sp": 1, "ea": 1, "nc_loc": 1, **SPIS}
    request = rpc2.EsaCreate(**common, ke=(1,), initiator=True, nonce_rem=talk.responder.nonce)
    refused(talk.initiator.host, request)
