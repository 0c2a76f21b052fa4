# SPDX-License-Identifier: GPL-2.0-or-later
"""Setting up an IKE SA as its initiator: IKE_SA_INIT, IKE_INTERMEDIATE if needed, IKE_AUTH."""

from ike.config.model import ChildConfig
from ike.engine import ike_auth, ike_intermediate, ike_sa_init
from ike.engine.create_child_sa import report_failure
from ike.engine.exchange import Exchange, SetupContext, Steps
from ike.message.errors import PeerError


class Initiate(Exchange[SetupContext]):
    """Set up an IKE SA and its first Child SA.

    Args:
        child: The Child SA to set up in IKE_AUTH.
    """

    def __init__(self, child: ChildConfig) -> None:
        self.creates = child
        self._child = child

    def run(self, sa: SetupContext) -> Steps:
        yield from ike_sa_init.initiate(sa)
        yield from ike_intermediate.initiate(sa)
        yield from ike_auth.initiate(sa, self._child)

    def failed(self, sa: SetupContext, error: PeerError) -> None:
        report_failure(sa, self._child, error)
        sa.close(str(error), wanted=False)
