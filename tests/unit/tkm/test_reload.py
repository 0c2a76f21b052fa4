# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGHUP: other rules are taken whole or not at all; what they do not change goes on."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256

from lab.pki import CA
from tests.unit.tkm.configs import tunnel
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.keymanager_files import key_der
from tests.unit.tkm.test_keymanager import DEADLINE, Running
from tests.unit.trusted import Host, config_of, host, identity, pki
from tkm.certs.crls import Revocation
from tkm.certs.path import load
from tkm.config import conf
from tkm.config.policy import Config, LocalIdentity, Policy, Proposals
from tkm.core.kinds import EspSa
from tkm.core.rules import Rules
from tkm.errors import KernelError
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result

Change = Callable[[Rules], Rules]


def started() -> Conversation:
    return Conversation(host("alice"), host("bob")).start(MODP_3072)


def rules_of(alice: Host) -> Rules:
    return replace(alice.manager._rules)


def with_policy(change: Callable[[Policy], Policy]) -> Change:
    """Policy 1 is another one."""

    def changed(rules: Rules) -> Rules:
        config = rules.config
        policies = config.policies | {1: change(config.policies[1])}
        return replace(rules, config=Config(config.local_identities, policies))

    return changed


def lasting(**values: int) -> Change:
    return with_policy(lambda policy: replace(policy, lifetime=replace(policy.lifetime, **values)))


def with_second(rules: Rules) -> Rules:
    policies = rules.config.policies | {7: tunnel().policies[7]}
    return replace(rules, config=Config(rules.config.local_identities, policies))


OTHER_KEY = rsa.generate_private_key(65537, 2048)
HARMLESS: dict[str, Change] = {
    "nothing": lambda rules: rules,
    "another policy is added": with_second,
    "other lifetimes": lasting(soft=7, hard=9),
    "another private key": lambda rules: replace(rules, keys={0: OTHER_KEY}),
    "another CA is added": lambda rules: replace(
        rules, anchors={**rules.anchors, 2: load(CA("other").certificate.der)}
    ),
    "the CA has another number": lambda rules: replace(rules, anchors={5: rules.anchors[1]}),
    "another certificate of ours": lambda rules: replace(
        rules,
        config=Config(
            {**rules.config.local_identities, 9: LocalIdentity(9, "x@tkm-lab.test", "x.pem")},
            rules.config.policies,
        ),
    ),
}
"""Child SAs and authentications go on."""
OF_THE_AUTHENTICATION: dict[str, Change] = {
    "the CA is gone": lambda rules: replace(rules, anchors={1: load(CA("other").certificate.der)}),
    "our identity": lambda rules: replace(
        rules,
        config=Config({1: LocalIdentity(1, "x@tkm-lab.test", "x.pem")}, rules.config.policies),
    ),
    "it may last for a minute": lasting(authentication=60),
    "other algorithms for IKE": with_policy(
        lambda policy: replace(policy, proposals=Proposals(ike="aes256gcm16-prfsha384-modp3072"))
    ),
}
"""The authentication has ended; Child SAs go on."""
OF_THE_POLICY: dict[str, Change] = {
    "the peer": with_policy(
        lambda policy: replace(policy, remote=replace(policy.remote, identity=identity("carol")))
    ),
    "the CA of the policy": with_policy(
        lambda policy: replace(policy, remote=replace(policy.remote, ca=1))
    ),
    "other algorithms for ESP": with_policy(
        lambda policy: replace(policy, proposals=Proposals(esp="aes256gcm16"))
    ),
    "it is gone": lambda rules: replace(
        rules, config=Config(rules.config.local_identities, {7: tunnel().policies[7]})
    ),
}
"""Neither goes on."""


def new_child(talk: Conversation) -> Result | None:
    """Ask for another Child SA: why there is none."""
    alice = talk.initiator
    alice.call(rpc2.NcCreate(nc=1, length=32))
    request = rpc2.EsaCreateNoPfs(
        esa=9, isa=1, sp=1, ea=1, nc_loc=1, nonce_rem=os.urandom(32), initiator=True,
        spi_loc=b"\xc7\0\0\1", spi_rem=b"\xc7\0\0\2",
    )  # fmt: skip
    try:
        alice.call(request)
    except Refused as refusal:
        return refusal.result
    return None


def reload(talk: Conversation, change: Change) -> Host:
    alice = talk.initiator.host
    alice.manager.reload(change(rules_of(alice)))
    return alice


@pytest.mark.parametrize("change", HARMLESS)
def test_what_does_not_touch_an_sa(change: str) -> None:
    talk = started()
    before = set(talk.initiator.host.kernel.states)
    alice = reload(talk, HARMLESS[change])
    assert alice.kernel.states == before
    assert new_child(talk) is None


@pytest.mark.parametrize("change", OF_THE_AUTHENTICATION)
def test_an_authentication_ends(change: str) -> None:
    talk = started()
    before = set(talk.initiator.host.kernel.states)
    alice = reload(talk, OF_THE_AUTHENTICATION[change])
    assert alice.kernel.states == before
    assert new_child(talk) is Result.AUTH_FAILURE
    # The daemon can still tell the peer.
    alice.client.call(rpc2.IsaEncrypt(isa=1, aad_length=4, message=bytes(20)))


@pytest.mark.parametrize("change", OF_THE_POLICY)
def test_a_policy_ends(change: str) -> None:
    talk = started()
    alice = reload(talk, OF_THE_POLICY[change])
    assert alice.kernel.states == set()
    assert list(alice.manager.contexts.store(EspSa)) == []
    assert new_child(talk) in (Result.AUTH_FAILURE, Result.INVALID_ID)
    assert [policy.id for policy in alice.kernel.policies] == list(
        alice.manager._rules.config.policies
    )


def test_an_endpoint_that_is_being_authenticated() -> None:
    """What was checked by the old rules is not used under the new ones."""
    talk = Conversation(host("alice"), host("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.check_chain(talk.initiator, talk.responder)
    signature = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    reload(talk, OF_THE_AUTHENTICATION["the CA is gone"])
    request = rpc2.IsaAuth(
        isa=1, cc=1, method=signature.method, signature=signature.signature,
        init_message=talk.responder.init_message,
    )  # fmt: skip
    with pytest.raises(Refused) as caught:
        talk.initiator.call(request)
    assert caught.value.result is Result.AUTH_FAILURE


def test_a_child_sa_that_waits_to_be_selected() -> None:
    talk = started()
    assert new_child(talk) is None
    alice = talk.initiator.host
    keys = alice.manager.contexts.store(EspSa)[9].outbound
    reload(talk, OF_THE_POLICY["the peer"])
    assert keys is not None
    assert not len(keys.encryption)
    with pytest.raises(Refused):
        alice.client.call(rpc2.EsaSelect(esa=9))


@pytest.mark.parametrize("change", [*HARMLESS, *OF_THE_POLICY])
def test_a_kernel_that_does_not_take_the_policies(change: str) -> None:
    talk = started()
    alice = talk.initiator.host
    before, states = rules_of(alice), set(alice.kernel.states)
    asked: list[list[int]] = []

    def refuse_once(policies: object) -> None:
        asked.append([policy.id for policy in policies])  # type: ignore[attr-defined]
        if len(asked) == 1:
            raise KernelError("it was told to refuse")

    alice.kernel.replace = refuse_once  # type: ignore[method-assign]
    with pytest.raises(KernelError):
        alice.manager.reload((HARMLESS | OF_THE_POLICY)[change](rules_of(alice)))
    assert asked[-1] == [1], "the old policies are there again"
    assert rules_of(alice) == before
    assert alice.kernel.states == states
    assert new_child(talk) is None


def test_an_authentication_ends_when_a_crl_revokes_its_certificate() -> None:
    talk = started()
    alice = talk.initiator.host
    issuer = pki().ca
    for revoked, ends in ((0, False), (load(pki().certificates["bob"]).serial_number, True)):
        revocation = Revocation([crl_of(issuer, revoked)])
        alice.manager.reload(replace(rules_of(alice), revocation=revocation))
        assert (new_child(talk) is Result.AUTH_FAILURE) == ends
        if not ends:
            alice.client.call(rpc2.EsaReset(esa=9))


def crl_of(issuer: CA, revoked: int) -> x509.CertificateRevocationList:
    """A CRL of the root CA, with one serial number or none."""
    now = datetime.now(UTC)
    subject = load(issuer.root.certificate.der).subject
    builder = x509.CertificateRevocationListBuilder().issuer_name(subject)
    builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(hours=1))
    builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    if revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(revoked).revocation_date(now)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.root.key.rsa, SHA256())


# The program


@contextlib.contextmanager
def running(files: Path) -> Iterator[tuple[Running, Callable[[str], str]]]:
    """A Key Manager that serves, and what it logs after SIGHUP up to some words."""
    with Running(files) as program, closing(program.client(rpc2.RPC2)._transport):
        assert program.process.stderr is not None
        stream = program.process.stderr.fileno()
        os.set_blocking(stream, False)

        def hang_up(words: str) -> str:
            program.process.send_signal(signal.SIGHUP)
            text, end = "", time.monotonic() + DEADLINE
            while words not in text and time.monotonic() < end:
                select.select([stream], [], [], 0.1)
                with contextlib.suppress(BlockingIOError):
                    text += os.read(stream, 65536).decode()
            assert words in text, text
            return text

        yield program, hang_up
        os.set_blocking(stream, True)


def test_the_program_reads_its_files_again(files: Path) -> None:
    config = conf.load(files / "tkm.conf")
    with running(files) as (_, hang_up):
        hang_up("The configuration was read again")
        policies = config.policies | {1: config_of("alice").policies[1]}
        second = Config(config.local_identities, policies)
        (files / "tkm.conf").write_text(conf.render(second))
        log = hang_up("The configuration was read again")
        assert "Adding policy [ 1, " in log
        (files / "tkm.conf").write_text(conf.render(config))
        log = hang_up("The configuration was read again")
        assert "Removing policy with index" in log
        (files / "key.der").write_bytes(key_der(OTHER_KEY))
        assert "loaded, key size 2048 bits" in hang_up("The configuration was read again")


@pytest.mark.parametrize(
    ("file", "octets", "mode", "reason"),
    [
        ("tkm.conf", b"version = 1\n[", 0o644, "tkm.conf: "),
        ("tkm.conf", b"", 0o644, "tkm.conf: "),
        ("tkm.conf", None, 0o666, "tkm.conf' is writable by others: chmod go-w"),
        ("tkm.conf", b"x" * 2_000_000, 0o644, "is longer than 1048576 octets"),
        ("key.der", b"no key", 0o600, "key.der' is no private key in DER"),
        ("key.der", None, 0o644, "key.der' is open to others: chmod 600"),
        ("key.der", key_der(rsa.generate_private_key(65537, 1024)), 0o600, "has 1024 bits"),
        ("ca.der", b"no certificate", 0o644, "CA certificate "),
        ("ca.der", pki().certificates["bob"], 0o644, "CA certificate "),
    ],
)
def test_a_mistake_changes_nothing(
    files: Path, file: str, octets: bytes | None, mode: int, reason: str
) -> None:
    path = files / file
    before = path.read_bytes(), path.stat().st_mode
    with running(files) as (program, hang_up):
        path.write_bytes(before[0] if octets is None else octets)
        path.chmod(mode)
        log = hang_up("The configuration stays as it was: ")
        assert reason in log
        assert "Removing policy" not in log
        path.write_bytes(before[0])
        path.chmod(before[1])
        hang_up("The configuration was read again")
        assert program.process.poll() is None


def test_a_file_that_is_gone(files: Path) -> None:
    with running(files) as (_, hang_up):
        (files / "ca.der").rename(files / "away")
        log = hang_up("The configuration stays as it was: ")
        assert f"CA certificate '{files}/ca.der': No such file or directory" in log


def test_it_works_without_what_opens_files(files: Path) -> None:
    """The process that opens files is killed: nothing changes, and the Key Manager serves on."""
    with running(files) as (program, hang_up):
        children = Path(f"/proc/{program.process.pid}/task/{program.process.pid}/children")
        (reader,) = children.read_text().split()
        os.kill(int(reader), signal.SIGKILL)
        assert "the process that opens files has ended" in hang_up("stays as it was: ")
        assert program.process.poll() is None
