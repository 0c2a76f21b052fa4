# SPDX-License-Identifier: GPL-2.0-or-later
"""cc: certificate chains, from a configured CA down to the peer."""

import logging
from collections.abc import Callable
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from tkm.certs import path
from tkm.certs.identity import speaks_for
from tkm.certs.issuing import check_issued, subject
from tkm.config.policy import Remote
from tkm.core.kinds import Chain
from tkm.core.rules import Rules
from tkm.errors import CertificateError, InvalidId, refusing
from tkm.rpc import rpc2
from tkm.rpc.record import Empty

log = logging.getLogger(__name__)


class Chains:
    """The operations on cc.

    :param now: the time (UTC) at which certificates must be valid.
    """

    def __init__(self, rules: Rules, now: Callable[[], datetime]) -> None:
        self._rules = rules
        self._now = now

    def check_ca(self, request: rpc2.CcCheckCa, cc: Chain) -> Empty:
        """Begin at a CA that is configured, and at no other.

        The octets are compared, not read: what the caller gives is never parsed here.
        """
        anchor = self.anchor(request.ca)
        if request.certificate != anchor.public_bytes(Encoding.DER):
            raise CertificateError(f"the certificate is not CA {request.ca}")
        cc.certificates = [anchor]
        cc.ca = request.ca
        log.info("Linked CC context %d with CA certificate %d", cc.number, cc.ca)
        return Empty()

    def add_certificate(self, request: rpc2.CcAddCertificate, cc: Chain) -> Empty:
        """Append what the last one has issued."""
        certificate = path.load(request.certificate)
        check_link(cc, certificate, cc.certificates[-1])
        cc.certificates = [*cc.certificates, certificate]
        log.info("Adding certificate '%s' to CC context %d", subject(certificate), cc.number)
        return Empty()

    def check_chain(self, request: rpc2.CcCheckChain, cc: Chain) -> Empty:
        """Validate the whole path, and that its end speaks for remote identity ``ri``."""
        self.check_path(cc, cc.ca, self.remote(request.ri))
        cc.ri = request.ri
        return Empty()

    def remote(self, number: int) -> Remote:
        """The remote identity of that number.

        :raises InvalidId: there is none.
        """
        policy = self._rules.config.policies.get(number)
        if policy is None:
            raise InvalidId(f"there is no remote identity {number}")
        return policy.remote

    def anchor(self, number: int) -> Certificate:
        """The configured CA of that number.

        :raises InvalidId: there is none.
        """
        anchor = self._rules.anchors.get(number)
        if anchor is None:
            raise InvalidId(f"there is no CA {number}")
        return anchor

    def check_path(self, cc: Chain, ca: int, remote: Remote) -> None:
        """Check that the path is valid and speaks for a remote identity, and note until when.

        :raises CertificateError: it is not.
        """
        if len(cc.certificates) < 2:
            raise CertificateError("there is no certificate below the CA")
        path.validate(cc.certificates, self._now(), self._rules.revocation)
        if remote.ca not in (0, ca):
            raise CertificateError(f"the chain begins with CA {ca}, not with CA {remote.ca}")
        subject_counts = not (remote.require_san or path.constrains_names(cc.certificates))
        with refusing(CertificateError, "its names cannot be read"):
            speaks = speaks_for(cc.peer, remote.identity, subject_counts=subject_counts)
        if not speaks:
            raise CertificateError(f"'{subject(cc.peer)}' does not speak for '{remote.identity}'")
        cc.expires = path.expires(cc.certificates)
        log.info("Certificate chain of CC context %d is valid", cc.number)


def check_link(cc: Chain, certificate: Certificate, issuer: Certificate) -> None:
    """Check one more certificate of a chain, and the one that must have issued it.

    :raises CertificateError: the chain is too long, or it has not.
    """
    if len(cc.certificates) >= path.LONGEST_PATH:
        raise CertificateError(f"the chain is longer than {path.LONGEST_PATH}")
    log.info(
        "Verifying signature of '%s' with certificate '%s'", subject(certificate), subject(issuer)
    )
    check_issued(certificate, issuer)
