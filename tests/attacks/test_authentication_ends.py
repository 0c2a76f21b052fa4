# SPDX-License-Identifier: GPL-2.0-or-later
"""What an authentication rests on ends, and so does it; and it rests on nothing weak."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from lab.pki import CA
from tests.unit.tkm import chains
from tests.unit.tkm.charon import host1
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.snapshot import snapshot
from tests.unit.trusted import Host, config_of, host, identity, pki, sha1_host, transport_to
from tkm.certs import path
from tkm.config.keys import ANY_IDENTITY
from tkm.config.policy import Config
from tkm.core.manager import KeyManager
from tkm.errors import CertificateError
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import Request
from tkm.rpc.result import Refused, Result

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass
class Clock:
    """The TKM's clock."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


def lasting(seconds: int) -> Config:
    """Alice's, with a longest lifetime of an authentication."""
    config = config_of("alice")
    lifetime = replace(config.policies[1].lifetime, authentication=seconds)
    config.policies[1] = replace(config.policies[1], lifetime=lifetime)
    return config


def alice_by(clock: Clock, config: Config | None = None) -> Host:
    """Alice, whose TKM has that clock."""
    made = host("alice")
    keys = {ANY_IDENTITY: pki().keys["alice"]}
    anchors = {1: path.load(made.ca)}
    made.manager = KeyManager(config or config_of("alice"), keys, anchors, made.kernel, clock)
    made.client = Client(rpc2.RPC2, transport_to(made.manager.dispatcher()))
    return made


def refused(alice: Host, request: Request[Any]) -> Result:
    """The result of a request that is refused and changes nothing."""
    before = snapshot(alice)
    with pytest.raises(Refused) as caught:
        alice.client.call(request)
    assert snapshot(alice) == before
    return caught.value.result


def end_of_bobs_certificate() -> datetime:
    return path.load(pki().certificates["bob"]).not_valid_after_utc


def uses(alice: Host, talk: Conversation) -> dict[str, Request[Any]]:
    """All that rests on an authenticated endpoint."""
    for nc in (1, 2, 3):
        alice.client.call(rpc2.NcCreate(nc=nc, length=32))
    for ke in (1, 2):
        value = talk.responder.host.client.call(rpc2.KeGet(ke=ke, method=MODP_3072)).public_value
        alice.client.call(rpc2.KeGet(ke=ke, method=MODP_3072))
        alice.client.call(rpc2.KeSet(ke=ke, method=MODP_3072, public_value=value))
    spis = {"spi_loc": b"\xc0\0\0\1", "spi_rem": b"\xc0\0\0\2"}
    child: dict[str, Any] = {
        "isa": 1,
        "sp": 1,
        "ea": 1,
        "nonce_rem": bytes(range(32)),
        "initiator": True,
        **spis,
    }
    return {
        "isa_create_child": rpc2.IsaCreateChild(
            isa=2, parent=1, ia=1, ke=(1,), nc_loc=1, nonce_rem=bytes(range(32)), initiator=True,
            spi_loc=b"12345678", spi_rem=b"87654321",
        ),
        "esa_create": rpc2.EsaCreate(esa=2, ke=(2,), nc_loc=2, **child),
        "esa_create_no_pfs": rpc2.EsaCreateNoPfs(esa=3, nc_loc=3, **child),
    }  # fmt: skip


FIRST = {
    "esa_create_first": rpc2.EsaCreateFirst(
        esa=1, isa=1, sp=1, ea=1, spi_loc=b"\xc0\0\0\3", spi_rem=b"\xc0\0\0\4"
    ),
    "isa_skip_create_first": rpc2.IsaSkipCreateFirst(isa=1),
}


def authenticated(alice: Host) -> Conversation:
    talk = Conversation(alice, host("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth()
    return talk


@pytest.mark.parametrize(("seconds", "end"), [(0, "certificate"), (3600, "policy")])
@pytest.mark.parametrize("first", FIRST)
def test_nothing_rests_on_an_authentication_that_has_ended(
    first: Any, seconds: int, end: str
) -> None:
    clock = Clock(datetime.now(UTC))
    begun = clock.now
    alice = alice_by(clock, lasting(seconds))
    talk = authenticated(alice)
    last = begun + timedelta(seconds=seconds) if seconds else end_of_bobs_certificate()
    clock.now = last + SECOND
    assert refused(alice, FIRST[first]) is Result.AUTH_FAILURE
    clock.now = last
    alice.client.call(FIRST[first])
    requests = uses(alice, talk)
    clock.now = last + SECOND
    for request in requests.values():
        assert refused(alice, request) is Result.AUTH_FAILURE
    # Messages still go, so that the peer can be told; and all can be reset.
    sealed = alice.client.call(rpc2.IsaEncrypt(isa=1, aad_length=0, message=b"a delete payload"))
    assert sealed.protected
    clock.now = last
    for request in requests.values():
        alice.client.call(request)
    clock.now = last + DAY
    alice.client.call(rpc2.TkmReset())
    assert snapshot(alice)[0] == {}


def test_a_successor_ends_with_its_parents_authentication() -> None:
    clock = Clock(datetime.now(UTC))
    alice = alice_by(clock, lasting(60))
    talk = authenticated(alice)
    alice.client.call(FIRST["isa_skip_create_first"])
    clock.now += 59 * SECOND
    requests = uses(alice, talk)
    alice.client.call(requests["isa_create_child"])
    clock.now += 2 * SECOND
    orphan = replace_isa(requests["esa_create_no_pfs"], 2)
    assert refused(alice, orphan) is Result.AUTH_FAILURE


def replace_isa(request: Request[Any], isa: int) -> Request[Any]:
    return type(request)(**{**vars(request), "isa": isa})


def test_a_chain_that_was_checked_before_its_end_proves_nothing_after_it() -> None:
    clock = Clock(end_of_bobs_certificate())
    alice = alice_by(clock)
    talk = Conversation(alice, host("bob"))
    talk.ike_sa_init(MODP_3072)
    auth = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    talk.check_chain(talk.initiator, talk.responder)
    asked = rpc2.IsaAuth(
        isa=1, cc=1, init_message=talk.responder.init_message,
        method=auth.method, signature=auth.signature,
    )  # fmt: skip
    clock.now += SECOND
    assert refused(alice, asked) is Result.AUTH_FAILURE
    clock.now -= SECOND
    alice.client.call(asked)


@pytest.mark.parametrize("level", ["root", "issuing", "peer"])
def test_the_first_certificate_to_end_counts(level: str) -> None:
    soon: dict[str, Any] = {"not_after": datetime.now(UTC).replace(microsecond=0) + DAY}
    ca = chains.root(**(soon if level == "root" else {}))
    issuing = chains.below(ca, **(soon if level == "issuing" else {}))
    peer = chains.bob(issuing, **(soon if level == "peer" else {}))
    trusted = chains.manager({1: path.load(chains.of(ca))})
    trusted.perform(rpc2.CcCheckCa(cc=1, ca=1, certificate=chains.of(ca)))
    for certificate in (chains.of(issuing), peer):
        trusted.perform(rpc2.CcAddCertificate(cc=1, certificate=certificate))
    trusted.perform(rpc2.CcCheckChain(cc=1, ri=1))
    (chain,) = trusted.contexts
    assert chain.expires == soon["not_after"]


def test_the_daemon_cannot_have_the_tkm_sign_with_sha_1() -> None:
    for make, result in ((host, Result.SIGN_FAILURE), (sha1_host, Result.OK)):
        talk = Conversation(make("alice"), host("bob"))
        talk.ike_sa_init(MODP_3072)
        for announced in ((), (1,), (5, 6)):
            asked = rpc2.IsaSign(
                isa=1, lc=1, hash_algorithms=announced, init_message=talk.initiator.init_message
            )
            if result:
                assert refused(talk.initiator.host, asked) is result
        if not result:
            assert talk.sign(talk.initiator, ()).method == 1


@pytest.mark.parametrize(("allowed", "result"), [(False, Result.AUTH_FAILURE), (True, Result.OK)])
def test_sha_1_of_a_peer(allowed: bool, result: Any) -> None:
    alice = sha1_host("alice") if allowed else host("alice")
    talk = Conversation(alice, host1("bob"))
    talk.ike_sa_init(MODP_3072)
    auth = talk.sign(talk.responder)
    assert auth.method == 1
    talk.sign(talk.initiator)
    talk.check_chain(talk.initiator, talk.responder)
    if allowed:
        talk.authenticate(talk.initiator, talk.responder, auth)
        return
    with pytest.raises(Refused) as caught:
        talk.authenticate(talk.initiator, talk.responder, auth)
    assert caught.value.result is result


def constrained(ca: CA, *constraints: tuple[x509.ExtensionType, bool]) -> x509.Certificate:
    """A CA below, with the key of the tests' root."""
    key = pki().ca.key.rsa
    builder = _builder("issuing", ca.subject, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(True, None), True)
    for extension, critical in constraints:
        builder = builder.add_extension(extension, critical)
    return builder.sign(ca.key.rsa, hashes.SHA256())


def without_san(issuer: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes:
    """Bob's certificate, as old ones were."""
    key = pki().keys["bob"].public_key()
    made = _builder(identity("bob"), issuer.subject, key, oid)
    return chains.der(made.sign(pki().ca.key.rsa, hashes.SHA256()))


def _builder(
    name: str,
    issuer: x509.Name,
    key: Any,
    oid: x509.ObjectIdentifier = NameOID.COMMON_NAME,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


@pytest.mark.parametrize("oid", [NameOID.COMMON_NAME, NameOID.EMAIL_ADDRESS])
@pytest.mark.parametrize(
    "constraints",
    [
        x509.NameConstraints([x509.RFC822Name("elsewhere.test")], None),
        x509.NameConstraints(None, [x509.RFC822Name("tkm-lab.test")]),
        x509.NameConstraints([x509.DNSName("elsewhere.test")], None),
    ],
    ids=["permits another", "excludes it", "of another kind"],
)
def test_name_constraints_are_not_bypassed_by_leaving_out_the_names(
    constraints: Any, oid: Any
) -> None:
    ca = chains.root()
    for critical in (True, False):
        issuing = constrained(ca, (constraints, critical))
        with pytest.raises(CertificateError, match=r"does not speak for|the name .bob@"):
            chains.judge(chains.of(ca), chains.der(issuing), without_san(issuing, oid))
    free = constrained(ca)
    chains.judge(chains.of(ca), chains.der(free), without_san(free, oid))


def test_a_policy_may_want_a_subject_alt_name() -> None:
    ca = chains.root()
    free = constrained(ca)
    named = without_san(free, NameOID.COMMON_NAME)
    config = config_of("alice")
    remote = replace(config.policies[1].remote, require_san=True)
    config.policies[1] = replace(config.policies[1], remote=remote)
    with pytest.raises(CertificateError, match=r"does not speak for|the name .bob@"):
        judge_with(config, ca, free, named)


def judge_with(config: Config, ca: CA, issuing: x509.Certificate, peer: bytes) -> None:
    anchors = {1: path.load(chains.of(ca))}
    keys = {ANY_IDENTITY: pki().keys["alice"]}
    trusted = KeyManager(config, keys, anchors, host("alice").kernel)
    trusted.perform(rpc2.CcCheckCa(cc=1, ca=1, certificate=chains.of(ca)))
    for certificate in (chains.der(issuing), peer):
        trusted.perform(rpc2.CcAddCertificate(cc=1, certificate=certificate))
    trusted.perform(rpc2.CcCheckChain(cc=1, ri=1))
