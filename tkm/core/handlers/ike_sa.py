# SPDX-License-Identifier: GPL-2.0-or-later
"""isa and ae: IKE SAs and the authentication of their ends."""

import logging
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tkm.certs.path import rsa_key
from tkm.config.keys import ANY_IDENTITY
from tkm.config.policy import Policy
from tkm.core.handlers.common import check_algorithms, secrets_of
from tkm.core.handlers.derive import Derivations, check_spis
from tkm.core.kinds import Chain, Endpoint, IkeSa, KeyExchange, Nonce
from tkm.core.message import Half, check_init, check_intermediate, check_one_meaning
from tkm.core.quota import Quotas
from tkm.core.rules import Rules
from tkm.crypto import protection
from tkm.crypto.derivation import (
    Roles,
    ike_keys,
    rekeyed_ike_keys,
    updated_ike_keys,
)
from tkm.crypto.signature import Auth, sign, signed_octets, verify
from tkm.crypto.suite import Suite, ike_suite
from tkm.errors import AuthenticationError, InvalidId, InvalidParameter, InvalidState
from tkm.identity import Identity, parse
from tkm.rpc import rpc2
from tkm.rpc.record import Empty
from tkm.rpc.wipe import Buffer
from tkm.xfrm.model import hexadecimal

log = logging.getLogger(__name__)


class IkeSas:
    """The operations that give an IKE SA keys, and what AUTH covers of the way to them.

    :param derivations: what all keys come from.
    """

    def __init__(self, rules: Rules, derivations: Derivations, quotas: Quotas) -> None:
        self._rules = rules
        self._derivations = derivations
        self._quotas = quotas

    def create(
        self, request: rpc2.IsaCreate, isa: IkeSa, ae: Endpoint, ke: KeyExchange, nc_loc: Nonce
    ) -> rpc2.CipherReply:
        """A first IKE SA, and the endpoint that it is to authenticate."""
        suite, spis = _check(request)
        log.info(
            "Creating new ISA context with ID %d (KE %d, nonce %d, spi_loc %s, spi_rem %s)",
            *(isa.number, ke.number, nc_loc.number, *map(hexadecimal, spis)),
        )
        roles = self._derivations.begin(request, nc_loc, [ke], spis)
        (shared,) = secrets_of(ke)
        isa.algorithms, isa.methods = request.ia, (ke.method,)
        isa.suite, isa.keys = suite, ike_keys(roles, shared, suite)
        _activate(isa, ae, roles, initiator=request.initiator)
        ae.initiator = request.initiator
        ae.loc = Half(request.spi_loc, ke.method, ke.public_loc, nc_loc.octets)
        ae.rem = Half(request.spi_rem, ke.method, ke.public_rem, request.nonce_rem)
        log.info("Creating new AE context with ID %d", ae.number)
        return _layout(suite)

    def create_child(
        self,
        request: rpc2.IsaCreateChild,
        isa: IkeSa,
        parent: IkeSa,
        ae: Endpoint,
        ke: tuple[KeyExchange, ...],
        nc_loc: Nonce,
    ) -> rpc2.CipherReply:
        """An IKE SA that takes the place of its parent, with the same authenticated endpoint."""
        suite, spis = _check(request)
        log.info(
            "Creating new child ISA context with ID %d "
            "(Parent Isa %d, KE %d #1 / %d, nonce %d, spi_loc %s, spi_rem %s)",
            *(isa.number, parent.number, ke[0].number, len(ke)),
            *(nc_loc.number, *map(hexadecimal, spis)),
        )
        policy, methods = self._rules.config.policies[ae.ri], [each.method for each in ke]
        check_algorithms(policy.proposals.for_ike, request.ia, methods)
        self._quotas.check(IkeSa, ae.ri)
        roles = self._derivations.begin(request, nc_loc, ke, spis)
        old, secrets = parent.secret_keys.d, secrets_of(*ke)
        isa.suite, isa.keys = suite, rekeyed_ike_keys(roles, old, secrets, parent.suite.prf, suite)
        _activate(isa, ae, roles, initiator=request.initiator)
        return _layout(suite)

    def update(self, request: rpc2.IsaUpdate, isa: IkeSa, ae: Endpoint, ke: KeyExchange) -> Empty:
        """Mix another key exchange into the keys."""
        log.info("Updating ISA context with ID %d (KE %d)", isa.number, request.ke)
        self._derivations.begin_update(ke)
        (shared,) = secrets_of(ke)
        keys = updated_ike_keys(isa.roles, isa.secret_keys.d, shared, isa.suite)
        isa.secret_keys.wipe()
        isa.keys, isa.methods = keys, (*isa.methods, ke.method)
        return Empty()


def int_auth(request: rpc2.IsaIntAuth, isa: IkeSa, ae: Endpoint) -> Empty:
    """Take one IKE_INTERMEDIATE message into what AUTH covers (RFC 9242, 3.3.2)."""
    key_loc, key_rem = isa.auth_keys
    done = ae.int_auth
    number = 1 + (done.messages_rem if request.verify else done.messages_loc)
    spis = isa.roles.spi_i, isa.roles.spi_r
    by_initiator = ae.initiator != request.verify
    check_intermediate(request.message, spis, number, by_initiator=by_initiator)
    if request.verify:
        rem = isa.suite.prf(key_rem.octets, done.rem, request.message)
        ae.int_auth = done._replace(rem=rem, messages_rem=number)
    else:
        loc = isa.suite.prf(key_loc.octets, done.loc, request.message)
        ae.int_auth = done._replace(loc=loc, messages_loc=number)
    return Empty()


def encrypt(request: rpc2.IsaEncrypt, isa: IkeSa) -> rpc2.EncryptReply:
    """Protect a message that we send."""
    aad, plain = _cut(request.message, request.aad_length)
    number = next(isa.packets)
    sealed = protection.protect(isa.suite.protection, isa.outbound, number, aad, plain)
    return rpc2.EncryptReply(protected=sealed)


def decrypt(request: rpc2.IsaDecrypt, isa: IkeSa) -> rpc2.DecryptReply:
    """Check and open a message that we have got."""
    aad, sealed = _cut(request.message, request.aad_length)
    plain = protection.unprotect(isa.suite.protection, isa.inbound, aad, sealed)
    return rpc2.DecryptReply(plain=plain)


def skip_create_first(_request: rpc2.IsaSkipCreateFirst, isa: IkeSa, ae: Endpoint) -> Empty:
    """The authenticated endpoint may have Child SAs, though IKE_AUTH brought none."""
    log.info("Skipping creation of first ESA for ISA context %d", isa.number)
    return Empty()


class Authentication:
    """The two operations that need keys and identities.

    :param now: the clock (UTC).
    :ivar sha1: method 1 is allowed whatever policies say: the protocol that is served has no other.
    """

    def __init__(
        self,
        rules: Rules,
        now: Callable[[], datetime],
        quotas: Quotas,
    ) -> None:
        self._rules = rules
        self._quotas = quotas
        self._now = now
        self.sha1 = False

    def sign(self, request: rpc2.IsaSign, isa: IkeSa, ae: Endpoint) -> rpc2.SignatureReply:
        """Sign our first message, as local identity ``lc``."""
        identity = self._rules.config.local_identities.get(request.lc)
        if identity is None:
            raise InvalidId(f"there is no local identity {request.lc}")
        policies = [
            policy
            for policy in self._rules.config.policies.values()
            if policy.local.identity_id == request.lc
        ]
        if not policies:
            raise InvalidId(f"no policy has local identity {request.lc}")
        log.info("Generating local signature for ISA context %d", isa.number)
        key_loc, _ = isa.auth_keys
        check_init(request.init_message, ae.loc, ae.rem, by_initiator=ae.initiator)
        maced_id = isa.suite.prf(key_loc.octets, parse(identity.identity).payload)
        octets = signed_octets(request.init_message, ae.rem.nonce, maced_id, _int_auth(ae))
        check_one_meaning(octets)
        # Whom we sign for is not proven yet: the weakest policy of the identity decides.
        sha1 = self.sha1 or any(policy.remote.allow_sha1 for policy in policies)
        auth = sign(self._key(request.lc), octets, request.hash_algorithms, sha1=sha1)
        ae.lc = request.lc
        return rpc2.SignatureReply(method=auth.method, signature=auth.data)

    def _key(self, lc: int) -> RSAPrivateKey:
        key = self._rules.keys.get(lc) or self._rules.keys.get(ANY_IDENTITY)
        if key is None:
            raise InvalidId(f"local identity {lc} has no private key")
        return key

    def authenticate(self, request: rpc2.IsaAuth, isa: IkeSa, ae: Endpoint, cc: Chain) -> Empty:
        """Verify that the peer is who the checked chain speaks for."""
        log.info(
            "Verifying remote signature for ISA context %d with CC context %d",
            isa.number,
            cc.number,
        )
        policy = self._rules.config.policies[cc.ri]
        if policy.local.identity_id != ae.lc:
            raise AuthenticationError(
                f"{ae} is signed for local identity {ae.lc}, not for that of policy {policy.id}"
            )
        check_algorithms(policy.proposals.for_ike, isa.algorithms, isa.methods)
        _, key_rem = isa.auth_keys
        try:
            check_init(request.init_message, ae.rem, ae.loc, by_initiator=not ae.initiator)
        except InvalidParameter as error:
            raise AuthenticationError(f"not the peer's IKE_SA_INIT: {error}") from error
        maced_id = isa.suite.prf(key_rem.octets, _identity(request.identity, policy).payload)
        octets = signed_octets(request.init_message, ae.loc.nonce, maced_id, _int_auth(ae))
        auth = Auth(request.method, request.signature)
        verify(rsa_key(cc.peer), octets, auth, sha1=self.sha1 or policy.remote.allow_sha1)
        self._quotas.check(Endpoint, cc.ri)
        ae.ri, ae.chain, ae.expires = cc.ri, cc.certificates, self._end(cc, policy)
        log.info("Authentication of ISA context %d successful", isa.number)
        return Empty()

    def _end(self, cc: Chain, policy: Policy) -> datetime | None:
        """When an authentication ends that begins now: with the chain, or before it by policy."""
        longest = policy.lifetime.authentication
        if not longest or cc.expires is None:
            return cc.expires
        return min(cc.expires, self._now() + timedelta(seconds=longest))


def _check(request: rpc2.IsaCreate | rpc2.IsaCreateChild) -> tuple[Suite, tuple[bytes, bytes]]:
    """What can be checked before anything is used up; the algorithms; the SPIs, ours first."""
    suite = ike_suite(request.ia)
    check_spis(request.spi_loc, request.spi_rem)
    return suite, (request.spi_loc, request.spi_rem)


def _activate(isa: IkeSa, ae: Endpoint, roles: Roles, *, initiator: bool) -> None:
    isa.ae, isa.roles, isa.initiator, isa.packets = ae, roles, initiator, count(1)


def _layout(suite: Suite) -> rpc2.CipherReply:
    """What the client needs to lay out an Encrypted payload."""
    encryption, _ = suite.protection
    return rpc2.CipherReply(block=encryption.block, iv=encryption.iv, icv=suite.protection.icv)


def _int_auth(ae: Endpoint) -> bytes:
    """IntAuth_i | IntAuth_r | message id of IKE_AUTH, if there was an IKE_INTERMEDIATE.

    :raises InvalidState: one side's message of an IKE_INTERMEDIATE exchange is missing.
    """
    done = ae.int_auth
    if done.messages_loc != done.messages_rem:
        raise InvalidState(
            f"IntAuth of {ae} covers {done.messages_loc} of our messages, "
            f"{done.messages_rem} of the peer's"
        )
    if not done.messages_loc:
        return b""
    by_role = (done.loc, done.rem) if ae.initiator else (done.rem, done.loc)
    return b"".join(by_role) + struct.pack(">I", done.messages_loc + 1)


def _identity(payload: bytes, policy: Policy) -> Identity:
    """The peer's identity as it has sent it, or else as the policy has it.

    :raises AuthenticationError: it is another one.
    """
    expected = parse(policy.remote.identity)
    if not payload:
        return expected
    sent = Identity(payload[0], payload[4:])
    if payload != sent.payload or not sent.matches(expected):
        raise AuthenticationError(f"the peer is {sent}, not {expected}")
    return sent


def _cut(message: Buffer, aad_length: int) -> tuple[Buffer, Buffer]:
    if aad_length > len(message):
        raise InvalidParameter(f"{aad_length} octets of {len(message)} cannot be additional data")
    return message[:aad_length], message[aad_length:]
