# SPDX-License-Identifier: GPL-2.0-or-later
"""cc: certificate chains, from a configured CA down to the peer."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from tkm.certs import path
from tkm.certs.identity import speaks_for
from tkm.certs.path import subject
from tkm.config.keys import TrustAnchors
from tkm.config.policy import Config, Remote
from tkm.core.kinds import Chain
from tkm.errors import CertificateError, InvalidId, refusing
from tkm.rpc import rpc2
from tkm.rpc.record import Empty

if TYPE_CHECKING:
    from tkm.generation1 import rpc1

log = logging.getLogger(__name__)


class Chains:
    """The operations on cc.

    :param now: the time (UTC) at which certificates must be valid.
    """

    def __init__(self, config: Config, anchors: TrustAnchors, now: Callable[[], datetime]) -> None:
        self._config = config
        self._anchors = anchors
        self._now = now

    def check_ca(self, request: rpc2.CcCheckCa, cc: Chain) -> Empty:
        """Begin at a CA that is configured, and at no other.

        The octets are compared, not read: what the caller gives is never parsed here.
        """
        anchor = self._anchor(request.ca)
        if request.certificate != anchor.public_bytes(Encoding.DER):
            raise CertificateError(f"the certificate is not CA {request.ca}")
        cc.certificates = [anchor]
        cc.ca = request.ca
        log.info("Linked CC context %d with CA certificate %d", cc.number, cc.ca)
        return Empty()

    def add_certificate(self, request: rpc2.CcAddCertificate, cc: Chain) -> Empty:
        """Append what the last one has issued."""
        certificate = path.load(request.certificate)
        _check_link(cc, certificate, cc.certificates[-1])
        cc.certificates = [*cc.certificates, certificate]
        log.info("Adding certificate '%s' to CC context %d", subject(certificate), cc.number)
        return Empty()

    def check_chain(self, request: rpc2.CcCheckChain, cc: Chain) -> Empty:
        """Validate the whole path, and that its end speaks for remote identity ``ri``."""
        self._check_path(cc, cc.ca, self._remote(request.ri))
        cc.ri = request.ri
        return Empty()

    def set_user_certificate(self, request: "rpc1.CcSetUserCertificate", cc: Chain) -> Empty:
        """Begin at the peer, remote identity ``ri``, as generation 1 does."""
        self._remote(request.ri)
        certificate = path.load(request.certificate)
        cc.certificates, cc.ri = [certificate], request.ri
        log.info("Setting user certificate '%s' for CC context %d", subject(certificate), cc.number)
        return Empty()

    def add_issuer(self, request: "rpc1.CcAddCertificate", cc: Chain) -> Empty:
        """Put in front what has issued the one that was first."""
        certificate = path.load(request.certificate)
        _check_link(cc, cc.certificates[0], certificate)
        cc.certificates = [certificate, *cc.certificates]
        log.info("Adding certificate '%s' to CC context %d", subject(certificate), cc.number)
        return Empty()

    def check_top(self, request: "rpc1.CcCheckCa", cc: Chain) -> Empty:
        """Validate the whole path, which begins at a CA that is configured."""
        if cc.certificates[0] != self._anchor(request.ca):
            raise CertificateError(f"'{subject(cc.certificates[0])}' is not CA {request.ca}")
        self._check_path(cc, request.ca, self._remote(cc.ri))
        cc.ca = request.ca
        log.info("Checked CA certificate of CC context %d", cc.number)
        return Empty()

    def _remote(self, number: int) -> Remote:
        policy = self._config.policies.get(number)
        if policy is None:
            raise InvalidId(f"there is no remote identity {number}")
        return policy.remote

    def _anchor(self, number: int) -> Certificate:
        anchor = self._anchors.get(number)
        if anchor is None:
            raise InvalidId(f"there is no CA {number}")
        return anchor

    def _check_path(self, cc: Chain, ca: int, remote: Remote) -> None:
        """The path of a chain is valid, for this remote identity, until its first end."""
        if len(cc.certificates) < 2:
            raise CertificateError("there is no certificate below the CA")
        path.validate(cc.certificates, self._now())
        if remote.ca not in (0, ca):
            raise CertificateError(f"the chain begins with CA {ca}, not with CA {remote.ca}")
        subject_counts = not (remote.require_san or path.constrains_names(cc.certificates))
        with refusing(CertificateError, "its names cannot be read"):
            speaks = speaks_for(cc.peer, remote.identity, subject_counts=subject_counts)
        if not speaks:
            raise CertificateError(f"'{subject(cc.peer)}' does not speak for '{remote.identity}'")
        cc.expires = path.expires(cc.certificates)
        log.info("Certificate chain of CC context %d is valid", cc.number)


def _check_link(cc: Chain, certificate: Certificate, issuer: Certificate) -> None:
    """A chain that is to have one more certificate; these two meet there."""
    if len(cc.certificates) >= path.LONGEST_PATH:
        raise CertificateError(f"the chain is longer than {path.LONGEST_PATH}")
    log.info(
        "Verifying signature of '%s' with certificate '%s'", subject(certificate), subject(issuer)
    )
    path.check_issued(certificate, issuer)
