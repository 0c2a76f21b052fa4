# SPDX-License-Identifier: GPL-2.0-or-later
"""AUTH and CERT payloads: who we are, who the peer is (RFC 7296, 2.15).

The TKM signs and verifies. Here, the certification paths are found that it is asked about.
"""

import logging
from collections.abc import Sequence
from itertools import islice, pairwise

from ike.config.model import Authority
from ike.engine.exchange import SetupContext
from ike.engine.path_building import Path, PathBuilder
from ike.identity import Identity
from ike.message.errors import AuthenticationFailed, TrustedRefusal
from ike.message.message import Message
from ike.message.numbers import CertEncoding
from ike.message.payloads import (
    Authentication,
    CertificateRequest,
    Identification,
    IdInitiator,
    IdResponder,
    Payload,
)
from ike.message.payloads import Certificate as CertificatePayload
from ike.tkm_client import CertificateChain
from ike.x509 import Certificate
from tkm.rpc.result import Result

log = logging.getLogger(__name__)

_MOST_ATTEMPTS = 32
"""Paths that the TKM is asked about in one authentication."""
_OTHERS_MAY_DO = (Result.CERTIFICATE_FAILURE, Result.AUTH_FAILURE)
"""Refusals of one path; another one may be accepted."""


def certificates(sa: SetupContext) -> Sequence[Payload]:
    """Our certificate, then those of intermediate CAs."""
    return [
        CertificatePayload(CertEncoding.X509_SIGNATURE, certificate.der)
        for certificate in sa.connection.certificates
    ]


def certificate_request(sa: SetupContext) -> CertificateRequest:
    """The CAs that the TKM knows."""
    authorities = sa.context.configuration.authorities
    hashes = b"".join(authority.certificate.key_hash for authority in authorities)
    return CertificateRequest(CertEncoding.X509_SIGNATURE, hashes)


def sign(sa: SetupContext) -> Authentication:
    """Our AUTH payload."""
    if not sa.hash_algorithms:
        log.warning(
            "the peer announces no hash algorithms (RFC 7427), so AUTH needs SHA-1: "
            "the TKM signs only if a policy has allow_sha1"
        )
    number = sa.connection.local_number
    return Authentication(*sa.keys.sign(number, sa.init_messages[0], sa.hash_algorithms))


def verify(sa: SetupContext, message: Message, remote_id: int) -> None:
    """Have the TKM verify the peer's certificates and AUTH payload.

    Args:
        remote_id: The TKM's number of the identity that it must have.

    Raises:
        AuthenticationFailed: The peer cannot have the identity that it must have.
        TrustedRefusal: The TKM does not accept its proof.
    """
    auth = message.find(Authentication)
    if auth is None:
        raise AuthenticationFailed("no AUTH payload, so the peer wants EAP, which we do not do")
    identity = message.need(IdResponder if sa.is_initiator else IdInitiator)
    builder = _path_builder(sa, message)
    refusals: list[TrustedRefusal] = []
    for path in islice(builder.paths(), _MOST_ATTEMPTS):
        for authority in sa.context.configuration.authorities:
            if authority.certificate == path[0]:
                try:
                    return _authenticate(sa, (auth, identity), builder, authority, path, remote_id)
                except TrustedRefusal as error:
                    if error.result not in _OTHERS_MAY_DO:
                        raise
                    log.info("a certification path is refused: %s", error)
                    refusals.append(error)
    if refusals:
        raise refusals[0]
    raise AuthenticationFailed("no CA that the TKM knows has issued the peer's certificate")


def _path_builder(sa: SetupContext, message: Message) -> PathBuilder:
    """The search for paths among the certificates that we have.

    Raises:
        AuthenticationFailed: The peer has sent none.
    """
    payloads = [
        payload
        for payload in message.all(CertificatePayload)
        if payload.encoding == CertEncoding.X509_SIGNATURE
    ]
    received = [certificate for payload in payloads for certificate in _read(payload.data)]
    if not received:
        unreadable = " that can be read" if payloads else ""
        raise AuthenticationFailed(f"the peer sends no certificate{unreadable}")
    configuration = sa.context.configuration
    anchors = [authority.certificate for authority in configuration.authorities]
    return PathBuilder(received, configuration.issuers, anchors)


def _read(der: bytes) -> list[Certificate]:
    """The certificate of a CERT payload; none if it cannot be read, as another one may do."""
    try:
        return [Certificate.read(der)]
    except ValueError as error:
        log.warning("a CERT payload is passed over: %s", error)
        return []


def _authenticate(
    sa: SetupContext,
    proof: tuple[Authentication, Identification],
    builder: PathBuilder,
    authority: Authority,
    path: Path,
    remote_id: int,
) -> None:
    """Have the TKM judge one path, and the peer's signature by it.

    Raises:
        TrustedRefusal: The builder knows what not to try again.
    """
    with CertificateChain(sa.keys.tkm) as chain:
        chain.begin(authority.number, path[0].der)
        for issuer, certificate in pairwise(path):
            try:
                chain.add(certificate.der)
            except TrustedRefusal:
                builder.refuse((issuer, certificate))
                raise
        chain.check(remote_id)
        try:
            auth, identity = proof
            sa.keys.authenticate(
                chain,
                sa.init_messages[1],
                (auth.method, auth.data),
                Identity.of(identity).payload,
            )
        except TrustedRefusal:
            builder.refuse(path[-1:])
            raise
