# SPDX-License-Identifier: GPL-2.0-or-later
"""AUTH and CERT payloads: who we are, who the peer is (RFC 7296, 2.15).

The TKM signs and verifies. Here, certificates are put in the order that it needs.
"""

import logging
from collections.abc import Sequence

from ike.engine.exchange import SetupContext
from ike.message.errors import AuthenticationFailed
from ike.message.message import Message
from ike.message.numbers import CertEncoding
from ike.message.payloads import Authentication, CertificateRequest, Payload
from ike.message.payloads import Certificate as CertificatePayload
from ike.x509 import Certificate, in_order

log = logging.getLogger(__name__)


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
    return Authentication(*sa.keys.sign(sa.init_messages[0], sa.hash_algorithms))


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
    received = [
        _read(payload.data)
        for payload in message.all(CertificatePayload)
        if payload.encoding == CertEncoding.X509_SIGNATURE
    ]
    if not received:
        raise AuthenticationFailed("the peer sends no certificate")
    for authority in sa.context.configuration.authorities:
        subject = authority.certificate.subject
        chain = in_order(received[0], received[1:], subject)
        if chain[0].issuer == subject:
            sa.keys.authenticate(
                authority=(authority.number, authority.certificate.der),
                chain=[certificate.der for certificate in chain],
                remote_id=remote_id,
                init_message=sa.init_messages[1],
                auth=(auth.method, auth.data),
            )
            return
    raise AuthenticationFailed("no CA that the TKM knows has issued the peer's certificate")


def _read(der: bytes) -> Certificate:
    try:
        return Certificate.read(der)
    except ValueError as error:
        raise AuthenticationFailed(f"CERT payload: {error}") from error
