# SPDX-License-Identifier: GPL-2.0-or-later
"""Local identities: the policy's signs, with the key of its certificate."""

from dataclasses import replace

import pytest

from ike.config.model import Connection
from ike.engine import own_keys
from ike.errors import ConfigError
from tests.unit import trusted
from tests.unit.ike.network import Network
from tkm.config.keys import PrivateKeys
from tkm.config.policy import Config, LocalIdentity

OWN, OTHER = trusted.pki().keys["alice"], trusted.pki().keys["bob"]


def with_identity_2() -> Config:
    """alice's policy names her second identity; the first one is somebody else's."""
    config = trusted.config_of("alice")
    policy = config.policies[1]
    carol = replace(policy.remote, identity="carol@tkm-lab.test", ip=trusted.ADDRESSES["bob"])
    return Config(
        {
            1: LocalIdentity(1, "other@tkm-lab.test", "otherCert.pem"),
            2: LocalIdentity(2, "alice@tkm-lab.test", "aliceCert.pem"),
        },
        {
            1: replace(policy, local=replace(policy.local, identity_id=2)),
            2: replace(policy, id=2, remote=carol),
        },
    )


def with_keys(keys: PrivateKeys, local_number: int = 2) -> Network:
    """A network whose alice has two identities, and these keys."""
    network = Network()
    alice, host = network.alice, trusted.host("alice", with_identity_2(), keys)
    alice.tkm.attach(host.client)
    alice.kernel, alice.manager = host.kernel, host.manager
    context = alice.engine.context
    configuration = context.configuration
    values = {name: getattr(configuration, name) for name in configuration._fields}
    connection = as_number(configuration.connections[0], local_number)
    context.configure(type(configuration)(**values | {"connections": (connection,)}))
    return network


def as_number(connection: Connection, number: int) -> Connection:
    values = {name: getattr(connection, name) for name in connection._fields}
    return Connection(**values | {"local_number": number})


def check(network: Network) -> None:
    own_keys.check(network.alice.tkm, network.alice.engine.context.configuration.connections)


@pytest.mark.parametrize("initiator", ["alice", "bob"])
def test_the_identity_of_the_connection_signs_with_its_own_key(initiator: str) -> None:
    network = with_keys({1: OTHER, 2: OWN})
    check(network)
    network.ping(getattr(network, initiator))
    network.run_until(network.is_up)


@pytest.mark.parametrize("initiator", ["alice", "bob"])
def test_another_identity_than_that_of_the_policy_comes_to_nothing(initiator: str) -> None:
    network = with_keys({1: OWN, 2: OWN}, local_number=1)
    network.ping(getattr(network, initiator))
    network.run(60)
    assert not network.alice.states()
    assert not network.bob.states()


def test_a_key_that_is_not_that_of_the_certificate_is_found() -> None:
    with pytest.raises(ConfigError) as caught:
        check(with_keys({1: OWN, 2: OTHER}))
    assert str(caught.value) == (
        "to-bob: the certificate of alice@tkm-lab.test is not that of the TKM's private key for "
        "local identity 2"
    )


def test_an_identity_that_the_tkm_does_not_have_is_found() -> None:
    with pytest.raises(ConfigError, match="to-bob: the TKM does not sign as local identity 3: "):
        check(with_keys({1: OWN, 2: OWN}, local_number=3))


def test_the_check_leaves_no_context_behind() -> None:
    network = with_keys({1: OTHER, 2: OWN})
    check(network)
    with pytest.raises(ConfigError):
        check(with_keys({1: OWN, 2: OTHER}))
    assert network.alice.contexts() == network.alice.in_tkm() == {}


def test_without_a_tkm_there_is_nothing_to_check() -> None:
    network = with_keys({1: OWN, 2: OTHER})
    network.alice.tkm.lose()
    check(network)
