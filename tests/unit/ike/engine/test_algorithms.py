# SPDX-License-Identifier: GPL-2.0-or-later
"""Every algorithm of the table: two sides negotiate it, set up, rekey, and have the same keys."""

from collections.abc import Iterator

import pytest

from ike.config import proposals
from ike.message.numbers import Encryption, Integrity, KeMethod, Prf, Protocol, TransformType
from tests.unit.ike.network import Network, rekey_ike_sa, soft_expire
from tkm.algorithms import ENCRYPTIONS, INTEGRITIES, METHODS, PRFS
from tkm.core.kinds import EspSa, IkeSa
from tkm.crypto.key_exchange import METHODS as IN_TKM


def suites() -> Iterator[tuple[str, str]]:
    """Proposals for IKE and ESP; each algorithm is in one of them."""
    for encryption in ENCRYPTIONS:
        integrities = [""] if encryption.icv else [f"-{each.keyword}" for each in INTEGRITIES]
        for integrity in integrities:
            cipher = f"{encryption.keyword}{integrity}"
            named = "" if integrity else "-prfsha384"
            yield f"{cipher}{named}-x25519", f"{cipher}-ecp256-esn-noesn"
    for prf in PRFS:
        yield f"aes256-sha512-{prf.keyword}-x25519", "aes256-sha512"
    for method in METHODS:
        word = f"x25519-ke1_{method.keyword}" if method.is_kem else method.keyword
        yield f"aes128gcm16-prfsha256-{word}", f"aes128gcm16-{word}"


@pytest.mark.parametrize(("ike", "esp"), list(suites()))
def test_two_sides_agree(ike: str, esp: str) -> None:
    network = Network(ike=ike, esp=esp)
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()
    for change in (soft_expire, rekey_ike_sa):
        change(network, network.bob)
        network.run(12)
        assert network.is_up()
        assert network.alice.states() == network.bob.states()
    (wanted,) = proposals.parse(ike, Protocol.IKE)
    (sa,) = network.alice.engine.sas()
    assert set(sa.suite) == set(wanted)


def test_the_tkm_uses_what_was_agreed() -> None:
    network = Network(ike="aes128gcm16-prfsha256-x25519", esp="chacha20poly1305")
    network.ping(network.alice)
    network.run(1)
    contexts = network.alice.manager.contexts
    (isa,) = contexts.store(IkeSa).values()
    assert [len(key) for key in isa.secret_keys] == [32, 0, 0, 20, 20, 32, 32]
    (esa,) = contexts.store(EspSa).values()
    assert esa.pair is not None
    assert esa.pair.protection.encryption.keyword == "chacha20poly1305"
    assert {len(state.encryption) for state in network.alice.states()} == {36}
    assert {len(state.integrity) for state in network.alice.states()} == {0}


def test_the_numbers_have_names() -> None:
    """A row of the table without its name in ``ike.message.numbers`` would not be logged."""
    assert {(each.id, each.name) for each in ENCRYPTIONS} == {(e, e.name) for e in Encryption}
    assert {(each.id, each.name) for each in INTEGRITIES} == {(e, e.name) for e in Integrity}
    assert {(each.id, each.name) for each in PRFS} == {(e, e.name) for e in Prf}
    named = {(each.value, each.name) for each in KeMethod if each is not KeMethod.NONE}
    assert {(each.id, each.name) for each in METHODS} == named
    assert {each.id for each in METHODS} == IN_TKM.keys()


@pytest.mark.parametrize(
    ("text", "protocol", "fault"),
    [
        ("aes256gcm16-x25519", Protocol.IKE, "no algorithm of type PRF"),
        ("aes256gcm16-sha512-x25519", Protocol.IKE, "aes256gcm16 takes no integrity algorithm"),
        ("aes256gcm16-aes256-prfsha512-x25519", Protocol.IKE, "aes256gcm16 takes no integrity"),
        ("aes256-prfsha512-x25519", Protocol.IKE, "no algorithm of type INTEG"),
        ("aes256-sha512-mlkem768", Protocol.IKE, "'mlkem768' is not supported"),
        ("aes192-sha512-x25519", Protocol.IKE, "'aes192' is not supported"),
        ("3des-sha1-modp1024", Protocol.IKE, "'3des' is not supported"),
        ("aes256gcm16-prfsha512", Protocol.ESP, "'prfsha512' is not supported"),
    ],
)
def test_what_is_not_a_suite(text: str, protocol: Protocol, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        proposals.parse(text, protocol)


@pytest.mark.parametrize(
    ("alias", "text"),
    [
        ("aes-sha2_256-curve25519", "aes128-sha256-x25519"),
        ("aes256gcm128-prfsha256-curve448", "aes256gcm16-prfsha256-x448"),
        ("aes128ccm64-prfsha256-ecp256", "aes128ccm8-prfsha256-ecp256"),
        ("aes256-sha512-modp3072-ke1_curve25519", "aes256-sha512-modp3072-ke1_x25519"),
    ],
)
def test_other_spellings(alias: str, text: str) -> None:
    assert proposals.parse(alias, Protocol.IKE) == proposals.parse(text, Protocol.IKE)


def test_a_prf_that_is_named_takes_the_place_of_the_integrity_algorithms() -> None:
    (suite,) = proposals.parse("aes256-sha256-prfsha512-x25519", Protocol.IKE)
    assert [each.id for each in suite if each.kind == TransformType.PRF] == [Prf.HMAC_SHA2_512]
