# SPDX-License-Identifier: GPL-2.0-or-later
"""cc in generation 1: certificate chains, from the peer up to a configured CA."""

import logging
from typing import Final

from tkm.certs import path
from tkm.certs.issuing import subject
from tkm.core.handlers.chain import Chains, check_link
from tkm.core.kinds import Chain
from tkm.core.machine import Operation, Step
from tkm.errors import CertificateError
from tkm.generation1 import rpc1
from tkm.rpc.record import Empty

log = logging.getLogger(__name__)

FROM_PEER: Final = {
    operation.name: operation
    for operation in (
        Operation("cc_set_user_certificate", (Step(Chain, "cc", "begin"),)),
        Operation("cc_add_certificate", (Step(Chain, "cc", "extend"),)),
        Operation("cc_check_ca", (Step(Chain, "cc", "check"),)),
    )
}
"""What generation 1 does to chains; in all else it is like generation 2."""


class ChainsFromPeer:
    """The operations on cc.

    :param chains: those of generation 2, which check the same.
    """

    def __init__(self, chains: Chains) -> None:
        self._chains = chains

    def set_user_certificate(self, request: rpc1.CcSetUserCertificate, cc: Chain) -> Empty:
        """Begin at the peer, remote identity ``ri``."""
        self._chains.remote(request.ri)
        certificate = path.load(request.certificate)
        cc.certificates, cc.ri = [certificate], request.ri
        log.info("Setting user certificate '%s' for CC context %d", subject(certificate), cc.number)
        return Empty()

    def add_issuer(self, request: rpc1.CcAddCertificate, cc: Chain) -> Empty:
        """Put in front what has issued the one that was first."""
        certificate = path.load(request.certificate)
        check_link(cc, cc.certificates[0], certificate)
        cc.certificates = [certificate, *cc.certificates]
        log.info("Adding certificate '%s' to CC context %d", subject(certificate), cc.number)
        return Empty()

    def check_top(self, request: rpc1.CcCheckCa, cc: Chain) -> Empty:
        """Validate the whole path, which begins at a CA that is configured."""
        if cc.certificates[0] != self._chains.anchor(request.ca):
            raise CertificateError(f"'{subject(cc.certificates[0])}' is not CA {request.ca}")
        self._chains.check_path(cc, request.ca, self._chains.remote(cc.ri))
        cc.ca = request.ca
        log.info("Checked CA certificate of CC context %d", cc.number)
        return Empty()
