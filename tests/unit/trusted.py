# SPDX-License-Identifier: GPL-2.0-or-later
"""Two Key Managers in one process: a PKI, policies between alice and bob, kernels that note down.

The kernel is the one part that is not real here; what a real one makes of it is for tests/e2e.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from lab.pki import CA
from tests.unit.tkm.rpc.feeding import feed, take
from tkm.certs.path import load
from tkm.config.keys import ANY_IDENTITY, PrivateKeys
from tkm.config.policy import Config, Lifetime, Local, LocalIdentity, Mode, Policy, Remote
from tkm.core.manager import CONTEXTS, KeyManager
from tkm.errors import KernelError
from tkm.rpc.client import Client
from tkm.rpc.rpc2 import RPC2
from tkm.rpc.server import Connection, Dispatcher
from tkm.xfrm.model import StateKeys, StatePair

NAMES = ("alice", "bob")
ADDRESSES = {"alice": ip_address("192.168.0.1"), "bob": ip_address("192.168.0.2")}


class State(NamedTuple):
    """A state as a kernel would show it."""

    source: str
    destination: str
    spi: bytes
    encryption: bytes
    integrity: bytes


@dataclass
class RecordingKernel:
    """Notes down what it is asked for; refuses when told to."""

    policies: list[Policy] = field(default_factory=list)
    states: set[State] = field(default_factory=set)
    pairs: dict[bytes, StatePair] = field(default_factory=dict)
    """Those of Child SAs that stand, by inbound SPI."""
    outbound: dict[bytes, State] = field(default_factory=dict)
    """The states that send, by SPI, the oldest first: the kernel takes the last one."""
    refuses: bool = False
    keeps: set[bytes] = field(default_factory=set)
    """SPIs whose states it does not delete."""

    def protect(self, policies: Iterable[Policy]) -> None:
        self.policies += [policy for policy in policies if policy not in self.policies]

    def take_over(self, policies: Iterable[Policy]) -> None:
        self.policies = list(policies)
        self.flush_states()

    def replace(self, policies: Iterable[Policy]) -> None:
        self._check()
        self.policies = list(policies)

    def flush_states(self) -> None:
        self.states.clear()
        self.pairs.clear()
        self.outbound.clear()

    def flush(self) -> None:
        self.policies.clear()
        self.flush_states()

    def add_inbound(self, pair: StatePair, keys: StateKeys) -> None:
        self._check()
        self.pairs[pair.spi_in] = pair
        local, remote = str(pair.policy.local.ip), str(pair.policy.remote.ip)
        self.states.add(State(remote, local, pair.spi_in, *_octets(keys)))

    def add_outbound(self, pair: StatePair, keys: StateKeys) -> None:
        self._check()
        local, remote = str(pair.policy.local.ip), str(pair.policy.remote.ip)
        self.outbound[pair.spi_out] = State(local, remote, pair.spi_out, *_octets(keys))
        self.states.add(self.outbound[pair.spi_out])

    def _check(self) -> None:
        if self.refuses:
            raise KernelError("the kernel was told to refuse")

    def delete_states(self, pair: StatePair, *, sends: bool) -> None:
        if self.keeps & {pair.spi_in, pair.spi_out}:
            raise KernelError("the kernel was told to keep it")
        self.pairs.pop(pair.spi_in, None)
        gone = {pair.spi_in}
        if sends:
            gone.add(pair.spi_out)
            self.outbound.pop(pair.spi_out, None)
        self.states = {state for state in self.states if state.spi not in gone}


def _octets(keys: StateKeys) -> tuple[bytes, bytes]:
    return bytes(keys.encryption.octets), bytes(keys.integrity.octets)


@dataclass
class Host:
    """One side: its Key Manager, its kernel, a client as the IKE daemon has one."""

    name: str
    manager: KeyManager
    kernel: RecordingKernel
    client: Any
    """A `Client`, or what stands in its place."""
    certificate: bytes
    ca: bytes


class Identities(NamedTuple):
    """The PKI of a test."""

    ca: CA
    certificates: dict[str, bytes]
    keys: dict[str, rsa.RSAPrivateKey]


def identity(name: str) -> str:
    """The identity of a host."""
    return f"{name}@tkm-lab.test"


@cache
def pki() -> Identities:
    """A root CA and a certificate for each host, made once a run."""
    ca = CA("tkm-lab root")
    issued = {name: ca.issue_cert(identity(name)) for name in NAMES}
    keys = {name: load_der_private_key(own.key.der, None) for name, own in issued.items()}
    return Identities(
        ca,
        {name: own.certificate.der for name, own in issued.items()},
        {name: key for name, key in keys.items() if isinstance(key, rsa.RSAPrivateKey)},
    )


def config_of(name: str, mode: Mode = Mode.TRANSPORT, *, allow_sha1: bool = False) -> Config:
    """Policy 1: everything to and from the other host."""
    (other,) = (each for each in NAMES if each != name)
    policy = Policy(
        id=1,
        mode=mode,
        local=Local(1, ADDRESSES[name]),
        remote=Remote(identity(other), ADDRESSES[other], allow_sha1=allow_sha1),
        lifetime=Lifetime(30, 60),
    )
    return Config({1: LocalIdentity(1, identity(name), f"{name}Cert.pem")}, {1: policy})


def transport_to(dispatcher: Dispatcher) -> Callable[[bytes], bytes]:
    """Carries frames to a Key Manager in this process."""

    def carry(frame: bytes) -> bytes:
        connection = Connection(dispatcher)
        feed(connection, frame)
        return take(connection)

    return carry


def host(
    name: str,
    config: Config | None = None,
    keys: PrivateKeys | None = None,
    limit: int = CONTEXTS,
) -> Host:
    """A host, started; unless told otherwise, its one key is for every identity."""
    identities, kernel = pki(), RecordingKernel()
    ca = identities.ca.root.certificate.der
    keys = keys or {ANY_IDENTITY: identities.keys[name]}
    manager = KeyManager(config or config_of(name), keys, {1: load(ca)}, kernel, limit=limit)
    manager.start()
    client = Client(RPC2, transport_to(manager.dispatcher()))
    return Host(name, manager, kernel, client, identities.certificates[name], ca)


def sha1_host(name: str) -> Host:
    """A host of generation 2 whose peer may be one of generation 1, which signs with SHA-1."""
    return host(name, config_of(name, allow_sha1=True))


def hosts() -> tuple[Host, Host]:
    """alice and bob."""
    return host("alice"), host("bob")
