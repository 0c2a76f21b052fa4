# SPDX-License-Identifier: GPL-2.0-or-later
"""cc: certificate chains, from a configured CA down to the peer."""

import logging
from collections.abc import Callable
from datetime import datetime

from tkm.certs import path
from tkm.certs.identity import speaks_for
from tkm.certs.path import subject
from tkm.config.model import Config
from tkm.contexts.kinds import Chain
from tkm.errors import CertificateError, InvalidId
from tkm.keys import TrustAnchors
from tkm.rpc import rpc2
from tkm.rpc.record import Empty

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
        """Begin at a CA that is configured, and at no other."""
        anchor = self._anchors.get(request.ca)
        if anchor is None:
            raise InvalidId(f"there is no CA {request.ca}")
        certificate = path.load(request.certificate)
        if certificate != anchor:
            raise CertificateError(f"'{subject(certificate)}' is not CA {request.ca}")
        cc.certificates = [certificate]
        cc.ca = request.ca
        log.info("Linked CC context %d with CA certificate %d", cc.number, cc.ca)
        return Empty()

    def add_certificate(self, request: rpc2.CcAddCertificate, cc: Chain) -> Empty:
        """Append what the last one has issued."""
        if len(cc.certificates) >= path.LONGEST_PATH:
            raise CertificateError(f"the chain is longer than {path.LONGEST_PATH}")
        certificate, issuer = path.load(request.certificate), cc.certificates[-1]
        log.info(
            "Verifying signature of '%s' with certificate '%s'",
            subject(certificate),
            subject(issuer),
        )
        path.check_issued(certificate, issuer)
        cc.certificates = [*cc.certificates, certificate]
        log.info("Adding certificate '%s' to CC context %d", subject(certificate), cc.number)
        return Empty()

    def check_chain(self, request: rpc2.CcCheckChain, cc: Chain) -> Empty:
        """Validate the whole path, and that its end speaks for remote identity ``ri``."""
        policy = self._config.policies.get(request.ri)
        if policy is None:
            raise InvalidId(f"there is no remote identity {request.ri}")
        if len(cc.certificates) < 2:
            raise CertificateError("there is no certificate below the CA")
        path.validate(cc.certificates, self._now())
        identity = policy.remote.identity
        if not speaks_for(cc.peer, identity):
            raise CertificateError(f"'{subject(cc.peer)}' does not speak for '{identity}'")
        cc.ri = request.ri
        log.info("Certificate chain of CC context %d is valid", cc.number)
        return Empty()
