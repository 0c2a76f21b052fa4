# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole conversations, as IKE daemons lead them: both sides always come to the same states."""

import hmac
import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.unit.tkm.conversation import (
    MODP_3072,
    MODP_4096,
    Conversation,
    contexts_in_use,
    established,
    states,
)
from tests.unit.trusted import NAMES, config_of, host, hosts, identity, pki
from tkm.config.policy import Mode
from tkm.core.kinds import EspSa, IkeSa
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result

PLAIN = bytes(range(16)) * 3
METHODS = pytest.mark.parametrize("method", [MODP_3072, MODP_4096])
BY = pytest.mark.parametrize("by", [0, 1], ids=["by alice", "by bob"])


@METHODS
def test_start(method: Any) -> None:
    talk = Conversation(*hosts()).start(method)
    assert len(states(talk)) == 2
    assert sorted(contexts_in_use(talk)) == sorted(["ae 1", "isa 1", "esa 1"] * 2)
    assert {(state.source, state.destination) for state in states(talk)} == {
        ("192.168.0.1", "192.168.0.2"),
        ("192.168.0.2", "192.168.0.1"),
    }


def test_start_with_the_roles_swapped() -> None:
    alice, bob = hosts()
    talk = Conversation(bob, alice).start(MODP_3072)
    assert len(states(talk)) == 2


def test_keys_of_the_directions_differ_and_are_never_the_same_again() -> None:
    seen = set()
    for _ in range(3):
        for state in states(established()):
            seen |= {state.encryption, state.integrity}
    assert len(seen) == 3 * 2 * 2


def test_messages_both_ways() -> None:
    talk = established()
    for end in talk.ends:
        assert talk.say(end, PLAIN) == PLAIN


def test_ciphertexts_of_the_same_plain_text_differ() -> None:
    talk = established()
    request = rpc2.IsaEncrypt(isa=1, aad_length=0, message=PLAIN)
    assert len({talk.initiator.call(request).protected for _ in range(5)}) == 5


@BY
@pytest.mark.parametrize(
    "methods", [(), (MODP_4096,), (MODP_3072, MODP_4096)], ids=["no pfs", "pfs", "two ke"]
)
def test_child_rekey(by: Any, methods: Any) -> None:
    talk = established()
    host, before = talk.ends[by].host, states(talk)
    talk.create_child(host, 2, *methods)
    assert len(states(talk)) == 4
    assert before < states(talk)
    talk.delete_child(1)
    assert len(states(talk)) == 2
    assert not before & states(talk)


@BY
@pytest.mark.parametrize("methods", [(MODP_4096,), (MODP_3072, MODP_4096)], ids=["one", "two"])
def test_ike_rekey(by: Any, methods: Any) -> None:
    talk = established()
    before = states(talk)
    successor = talk.rekey_ike(talk.ends[by].host, 2, *methods)
    assert states(successor) == before
    assert sorted(contexts_in_use(successor)) == sorted(["ae 1", "isa 2", "esa 1"] * 2)
    for end in successor.ends:
        assert successor.say(end, PLAIN) == PLAIN
    successor.rekey_child(talk.ends[1 - by].host, 1, 2, MODP_3072)
    assert len(states(successor)) == 2
    again = successor.rekey_ike(talk.ends[1 - by].host, 1, MODP_3072)
    again.rekey_child(talk.ends[by].host, 2, 1)
    assert len(states(again)) == 2


def test_skip_create_first() -> None:
    talk = Conversation(*hosts())
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth()
    talk.skip_first()
    assert states(talk) == set()
    talk.create_child(talk.initiator.host, 1, MODP_3072)
    assert len(states(talk)) == 2


@pytest.mark.parametrize("further", [(MODP_4096,), (MODP_4096, MODP_3072)], ids=["one", "two"])
def test_several_key_exchanges(further: Any) -> None:
    talk = Conversation(*hosts())
    talk.ike_sa_init(MODP_3072)
    for method in further:
        before = _keys(talk)
        talk.ike_intermediate(method)
        assert _keys(talk) != before
        assert talk.say(talk.initiator, PLAIN) == PLAIN
    talk.ike_auth()
    talk.first_child()
    assert len(states(talk)) == 2


def test_an_intermediate_message_that_was_changed_is_not_authenticated() -> None:
    talk = Conversation(*hosts())
    talk.ike_sa_init(MODP_3072)
    alice, bob = talk.ends
    sent = talk.intermediate_message(alice)
    changed = sent[:-1] + bytes([sent[-1] ^ 1])
    answer = talk.intermediate_message(bob)
    for end, verify, message in (
        (alice, False, sent), (alice, True, answer), (bob, True, changed), (bob, False, answer),
    ):  # fmt: skip
        end.call(rpc2.IsaIntAuth(isa=1, verify=verify, message=message))
    with pytest.raises(Refused) as caught:
        talk.ike_auth()
    assert caught.value.result is Result.AUTH_FAILURE


@pytest.mark.parametrize("signer", [0, 1], ids=["initiator", "responder"])
def test_auth_covers_the_message_of_the_signer_and_the_nonce_of_the_other(signer: int) -> None:
    talk = Conversation(*hosts())
    talk.ike_sa_init(MODP_3072)
    end, other = talk.pairs()[signer]
    auth = talk.sign(end)
    (isa,) = (each for each in end.host.manager.contexts if each.table.name == "isa")
    sk_p = isa.keys.pi if end.initiator else isa.keys.pr
    maced = hmac.digest(sk_p.octets, b"\3\0\0\0" + identity(end.host.name).encode(), "sha512")
    octets = end.init_message + other.nonce + maced
    key = pki().keys[end.host.name].public_key()
    key.verify(auth.signature[-384:], octets, PKCS1v15(), SHA256())


def test_reauthentication() -> None:
    talk = established()
    talk.create_child(talk.responder.host, 2)
    again = Conversation(talk.responder.host, talk.initiator.host, isa=2, ae=2)
    again.ike_sa_init(MODP_3072)
    again.ike_auth()
    again.first_child(3)
    talk.delete_child(1)
    talk.delete_child(2)
    talk.delete()
    assert len(states(again)) == 2
    assert sorted(contexts_in_use(again)) == sorted(["ae 2", "isa 2", "esa 3"] * 2)


def test_delete_leaves_nothing() -> None:
    talk = established()
    talk.delete_child(1)
    talk.delete()
    assert contexts_in_use(talk) == []
    assert states(talk) == set()


def test_reset_leaves_nothing_but_the_policies() -> None:
    talk = established()
    talk.exchange_keys(MODP_3072)
    for end in talk.ends:
        end.call(rpc2.TkmReset())
        assert len(end.host.kernel.policies) == 1
    assert contexts_in_use(talk) == []
    assert states(talk) == set()


def buffers(context: Any) -> list[bytearray]:
    """The octets of the secrets that a context owns."""
    secrets = [*(getattr(context, "keys", None) or ()), getattr(context, "shared", None)]
    return [secret.octets for secret in secrets if secret]


@pytest.mark.parametrize(
    "end_it",
    [
        lambda talk: talk.delete(),
        lambda talk: [end.call(rpc2.TkmReset()) for end in talk.ends],
        lambda talk: [end.host.manager.stop() for end in talk.ends],
    ],
    ids=["reset", "tkm_reset", "stop"],
)
def test_secrets_are_destroyed_with_their_contexts(end_it: Any) -> None:
    talk = established()
    talk.exchange_keys(MODP_3072)
    contexts = [context for end in talk.ends for context in end.host.manager.contexts]
    kept = [octets for context in contexts for octets in buffers(context)]
    assert len(kept) == 2 * (7 + 1)
    assert all(any(octets) for octets in kept)
    end_it(talk)
    for end in talk.ends:
        end.call(rpc2.KeReset(ke=1))
    assert not any(any(octets) for octets in kept)


def test_secrets_are_destroyed_when_they_are_used() -> None:
    talk = established()
    talk.exchange_keys(MODP_3072, MODP_3072)
    contexts = [context for end in talk.ends for context in end.host.manager.contexts]
    kept = [octets for each in contexts if each.table.name == "ke" for octets in buffers(each)]
    assert len(kept) == 4
    talk.initiator.call(
        rpc2.EsaCreate(
            esa=2, isa=1, sp=1, ea=1, ke=(1, 2), nc_loc=1, nonce_rem=bytes(32), initiator=True,
            spi_loc=b"\xc0\0\0\1", spi_rem=b"\xc0\0\0\2",
        )
    )  # fmt: skip
    assert [any(octets) for octets in kept] == [False, False, True, True]


def test_old_keys_are_destroyed_by_new_ones() -> None:
    talk = Conversation(*hosts())
    talk.ike_sa_init(MODP_3072)
    (isa,) = (each for each in talk.initiator.host.manager.contexts if isinstance(each, IkeSa))
    kept = buffers(isa)
    talk.ike_intermediate(MODP_3072)
    assert len(kept) == 7
    assert not any(any(octets) for octets in kept)


@pytest.mark.parametrize("flush", [False, True])
def test_stopping_leaves_policies_unless_told_otherwise(flush: bool) -> None:
    talk = established()
    for end in talk.ends:
        end.host.manager.stop(flush=flush)
        assert len(end.host.kernel.policies) == (0 if flush else 1)
    assert contexts_in_use(talk) == []
    assert states(talk) == set()


def test_a_kernel_that_refuses_the_first_child_sa_is_not_given_its_keys_again() -> None:
    talk = Conversation(*hosts())
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth()
    for end in talk.ends:
        end.host.kernel.refuses = True
    before = contexts_in_use(talk)
    for end in talk.ends:
        request = rpc2.EsaCreateFirst(
            esa=1, isa=1, sp=1, ea=1, spi_loc=b"\xc0\0\0\1", spi_rem=b"\xc0\0\0\2"
        )
        with pytest.raises(Refused) as caught:
            end.call(request)
        assert caught.value.result is Result.KERNEL_FAILURE
        end.host.kernel.refuses = False
        with pytest.raises(Refused) as caught:
            end.call(request)
        assert caught.value.result is Result.INVALID_STATE
    assert contexts_in_use(talk) == before
    talk.skip_first()
    talk.create_child(talk.initiator.host, 1)
    assert len(states(talk)) == 2


@pytest.mark.parametrize("methods", [(), (MODP_3072,)], ids=["no pfs", "pfs"])
def test_what_went_into_refused_states_is_used_up(methods: Any) -> None:
    talk = established()
    alice = talk.initiator
    alice.host.kernel.refuses = True
    with pytest.raises(Refused) as caught:
        talk.create_child(alice.host, 2, *methods)
    assert caught.value.result is Result.KERNEL_FAILURE
    left = {str(context) for context in alice.host.manager.contexts}
    assert left == {"ae 1", "isa 1", "esa 1"}


def two_children_one_of_them_kept(kept: Any) -> Any:
    """alice, whose kernel does not delete one of her two Child SAs; and its states' SPIs."""
    talk = established()
    talk.create_child(talk.initiator.host, 2)
    talk.exchange_keys(MODP_3072)
    alice = talk.initiator.host
    (pair,) = (
        each.pair
        for each in alice.manager.contexts
        if isinstance(each, EspSa) and str(each) == f"esa {kept}"
    )
    assert pair is not None
    alice.kernel.keeps = {pair.spi_in, pair.spi_out}
    return alice, alice.kernel.keeps


def refused_by_the_kernel(alice: Any, request: Any) -> bool:
    with pytest.raises(Refused) as caught:
        alice.client.call(request)
    return caught.value.result is Result.KERNEL_FAILURE


@pytest.mark.parametrize("kept", [1, 2])
def test_tkm_reset_destroys_all_but_the_states_that_the_kernel_keeps(kept: int) -> None:
    alice, spis = two_children_one_of_them_kept(kept)
    secrets = [octets for context in alice.manager.contexts for octets in buffers(context)]
    assert all(any(octets) for octets in secrets)
    assert refused_by_the_kernel(alice, rpc2.TkmReset())
    assert {state.spi for state in alice.kernel.states} == spis
    assert list(map(str, alice.manager.contexts)) == [f"esa {kept}"]
    assert not any(any(octets) for octets in secrets)
    alice.kernel.keeps = set()
    alice.client.call(rpc2.TkmReset())
    assert not alice.kernel.states
    assert not list(alice.manager.contexts)


def test_esa_reset_that_the_kernel_refuses_changes_nothing() -> None:
    alice, spis = two_children_one_of_them_kept(1)
    before = list(map(str, alice.manager.contexts))
    assert refused_by_the_kernel(alice, rpc2.EsaReset(esa=1))
    assert list(map(str, alice.manager.contexts)) == before
    assert len(alice.kernel.states) == 4
    alice.kernel.keeps = set()
    alice.client.call(rpc2.EsaReset(esa=1))
    assert len(alice.kernel.states) == 2
    assert not spis & {state.spi for state in alice.kernel.states}


def test_limits_and_version() -> None:
    alice, _ = hosts()
    limits = alice.client.call(rpc2.TkmLimits())
    assert limits.max_active_requests == 1
    assert {limits.nc, limits.ke, limits.cc, limits.ae, limits.isa, limits.esa} == {4096}
    assert alice.client.call(rpc2.TkmVersion()).version == 2


def test_how_many_contexts_there_can_be_is_a_setting(caplog: pytest.LogCaptureFixture) -> None:
    alice = host("alice", limit=5000)
    assert alice.client.call(rpc2.TkmLimits()).esa == 5000
    alice.client.call(rpc2.NcCreate(nc=5000, length=32))
    before = list(map(str, alice.manager.contexts))
    for request in (
        rpc2.NcCreate(nc=5001, length=32),
        rpc2.NcReset(nc=2**32 - 1),
        rpc2.KeGet(ke=5001, method=MODP_3072),
        rpc2.EsaSelect(esa=5001),
        rpc2.IsaCreateChild(
            isa=1, parent=5001, ia=1, ke=(1,), nc_loc=5000, nonce_rem=bytes(32), initiator=True,
            spi_loc=bytes(8), spi_rem=bytes(8),
        ),
    ):  # fmt: skip
        with pytest.raises(Refused) as caught:
            alice.client.call(request)
        assert caught.value.result is Result.INVALID_ID
    assert list(map(str, alice.manager.contexts)) == before == ["nc 5000"]
    assert "nc_create refused: nc 5001 is past the limit, 5000" in caplog.messages
    assert not any("Resetting" in line for line in caplog.messages)


def test_no_line_of_the_log_has_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    talk = Conversation(*hosts())
    secrets = []
    for step in (
        lambda: talk.exchange_keys(MODP_3072, MODP_4096),
        lambda: [end.call(rpc2.TkmReset()) for end in talk.ends],
        lambda: talk.ike_sa_init(MODP_3072),
        lambda: talk.ike_intermediate(MODP_3072),
        talk.ike_auth,
        talk.first_child,
        lambda: talk.create_child(talk.initiator.host, 2, MODP_3072),
    ):
        step()
        secrets += _secrets(talk)
    talk.rekey_ike(talk.responder.host, 2, MODP_3072)
    assert len(set(secrets)) == 24
    assert len(caplog.messages) > 60
    for line in caplog.messages:
        text = line.lower()
        for secret in secrets:
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in line
        # Nothing is as long as a key, either: the longest are SPIs.
        assert not any(len(word) > 24 and _is_hex(word) for word in text.split())


def _is_hex(word: str) -> bool:
    return all(character in "0123456789abcdef" for character in word)


def _keys(talk: Conversation) -> list[bytes]:
    (isa,) = (each for each in talk.initiator.host.manager.contexts if isinstance(each, IkeSa))
    assert isa.keys is not None
    return [bytes(key.octets) for key in isa.keys]


def _secrets(talk: Conversation) -> list[bytes]:
    """All that a TKM must keep to itself just now."""
    found = []
    for end in talk.ends:
        for state in end.host.kernel.states:
            found += [state.encryption, state.integrity]
        for context in end.host.manager.contexts:
            found += [bytes(key.octets) for key in getattr(context, "keys", None) or ()]
            if shared := getattr(context, "shared", None):
                found.append(bytes(shared.octets))
    return found


def test_tunnel_mode() -> None:
    alice, bob = (host(name, config_of(name, Mode.TUNNEL)) for name in NAMES)
    talk = Conversation(alice, bob).start(MODP_3072)
    assert len(states(talk)) == 2
