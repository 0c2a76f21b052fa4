# SPDX-License-Identifier: GPL-2.0-or-later
"""esa: ESP SAs, the two states of a Child SA in the kernel.

Who creates one can receive at once; it sends through it when it is selected. So nobody sends what
the other side cannot receive yet, and in a collision nobody uses the one that goes (RFC 7296, 2.8).
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tkm.config.policy import Policy
from tkm.core.handlers.common import check_algorithms, secrets_of
from tkm.core.handlers.derive import Derivations, check_spis
from tkm.core.kinds import Endpoint, EspSa, IkeSa, KeyExchange, Nonce
from tkm.core.quota import Quotas
from tkm.core.rules import Rules
from tkm.crypto.derivation import ChildKeys, child_keys
from tkm.crypto.suite import esp_protection
from tkm.errors import AuthenticationError, InvalidId, InvalidParameter, KernelError
from tkm.rpc import rpc2
from tkm.rpc.record import Empty
from tkm.xfrm.model import Kernel, StateKeys, StatePair, hexadecimal

log = logging.getLogger(__name__)

_LOWEST_SPI = 256
"""SPIs 0 to 255 are reserved (RFC 4303, 2.1)."""

Create = rpc2.EsaCreate | rpc2.EsaCreateNoPfs | rpc2.EsaCreateFirst


class EspSas:
    """The operations on esa.

    :ivar sends_at_once: whether one is selected as it is created; generation 1
        asks for that.
    """

    def __init__(
        self,
        rules: Rules,
        kernel: Kernel,
        derivations: Derivations,
        quotas: Quotas,
        now: Callable[[], datetime],
    ) -> None:
        self.sends_at_once: Callable[[Create], bool] = lambda _: False
        self._now = now
        self._rules = rules
        self._quotas = quotas
        self._derivations = derivations
        self._kernel = kernel

    def create(
        self,
        request: rpc2.EsaCreate,
        esa: EspSa,
        isa: IkeSa,
        ae: Endpoint,
        ke: tuple[KeyExchange, ...],
        nc_loc: Nonce,
    ) -> Empty:
        """With key exchanges of its own."""
        log.info(
            "Creating ESA context with ID %d (Isa %d, Sp %d, Ea %d, Ke_Id %d #1 / %d, "
            "Nc_Loc_Id %d, Initiator %s, spi_loc %s, spi_rem %s)",
            *(esa.number, isa.number, request.sp, request.ea, ke[0].number, len(ke)),
            *(nc_loc.number, _truth(request.initiator), *_spis(request)),
        )
        pair = self._check(request, ae, ke)
        roles = self._derivations.begin(request, nc_loc, ke)
        keys = child_keys(roles, isa.secret_keys.d, secrets_of(*ke), isa.suite.prf, pair.protection)
        return self._install(request, esa, pair, keys, ae, initiator=request.initiator)

    def create_no_pfs(
        self,
        request: rpc2.EsaCreateNoPfs,
        esa: EspSa,
        isa: IkeSa,
        ae: Endpoint,
        nc_loc: Nonce,
    ) -> Empty:
        """From the IKE SA's keys and fresh nonces alone."""
        log.info(
            "Creating new ESA context (no PFS) with ID %d (Isa %d, Sp %d, Ea %d, "
            "Nc_Loc_Id %d, Initiator %s, spi_loc %s, spi_rem %s)",
            *(esa.number, isa.number, request.sp, request.ea),
            *(nc_loc.number, _truth(request.initiator), *_spis(request)),
        )
        pair = self._check(request, ae)
        roles = self._derivations.begin(request, nc_loc, [])
        keys = child_keys(roles, isa.secret_keys.d, [], isa.suite.prf, pair.protection)
        return self._install(request, esa, pair, keys, ae, initiator=request.initiator)

    def create_first(
        self, request: rpc2.EsaCreateFirst, esa: EspSa, isa: IkeSa, ae: Endpoint
    ) -> Empty:
        """From what IKE_SA_INIT has brought."""
        log.info(
            "Creating first new ESA context with ID %d "
            "(Isa %d, Sp %d, Ea %d, Initiator %s, spi_loc %s, spi_rem %s)",
            *(esa.number, isa.number, request.sp, request.ea),
            *(_truth(isa.initiator), *_spis(request)),
        )
        pair = self._check(request, ae)
        self._derivations.begin_first(ae)
        keys = child_keys(isa.roles, isa.secret_keys.d, [], isa.suite.prf, pair.protection)
        return self._install(request, esa, pair, keys, ae, initiator=isa.initiator)

    def select(self, _request: rpc2.EsaSelect, esa: EspSa) -> Empty:
        """Send through it from now on; again, this changes nothing."""
        log.info("Selecting ESA context %d for outbound traffic", esa.number)
        keys, esa.outbound = esa.outbound, None
        if keys and esa.pair:
            esa.spend()
            try:
                self._kernel.add_outbound(esa.pair, keys)
            finally:
                keys.wipe()
            esa.sends = True
        return Empty()

    def reset(self, esa: EspSa) -> None:
        """Remove the states of an ESP SA."""
        if esa.pair is not None:
            self._kernel.delete_states(esa.pair, sends=esa.sends)
            esa.pair = None

    def _check(self, request: Create, ae: Endpoint, ke: Sequence[KeyExchange] = ()) -> StatePair:
        """All that can be checked before anything is used up; the states to be installed."""
        protection = esp_protection(request.ea)
        policy = self._policy(request.sp, ae)
        check_algorithms(policy.proposals.for_esp, request.ea, [each.method for each in ke])
        check_spis(request.spi_loc, request.spi_rem, _LOWEST_SPI)
        encap = _encap(request.encap)
        self._quotas.check(EspSa, policy.id)
        spis = request.spi_loc, request.spi_rem
        return StatePair(policy, *spis, request.esn, encap, protection)

    def _install(
        self,
        request: Create,
        esa: EspSa,
        pair: StatePair,
        keys: ChildKeys,
        ae: Endpoint,
        *,
        initiator: bool,
    ) -> Empty:
        """Install the inbound state, and keep the keys of the outbound one until it is selected."""
        by_initiator = StateKeys(keys.encryption_i, keys.integrity_i)
        by_responder = StateKeys(keys.encryption_r, keys.integrity_r)
        inbound, outbound = (
            (by_responder, by_initiator) if initiator else (by_initiator, by_responder)
        )
        kept = None
        try:
            self._kernel.add_inbound(pair, inbound)
            if self.sends_at_once(request):
                self._add_outbound(pair, outbound)
            else:
                kept = outbound
        finally:
            (inbound if kept else keys).wipe()
        esa.sp, esa.pair, esa.outbound = pair.policy.id, pair, kept
        esa.sends = kept is None
        esa.expires = self._until(pair.policy, ae)
        return Empty()

    def _add_outbound(self, pair: StatePair, keys: StateKeys) -> None:
        """Install the outbound state beside the inbound one, or leave none."""
        try:
            self._kernel.add_outbound(pair, keys)
        except KernelError:
            self._kernel.delete_states(pair, sends=False)
            raise

    def _until(self, policy: Policy, ae: Endpoint) -> datetime | None:
        """Until when it may be selected: no longer than its states and the authentication last."""
        bounds = [ae.expires] if ae.expires else []
        if policy.lifetime.hard:
            bounds.append(self._now() + timedelta(seconds=policy.lifetime.hard))
        return min(bounds, default=None)

    def _policy(self, number: int, ae: Endpoint) -> Policy:
        """The policy, if the endpoint speaks for it.

        An endpoint is authenticated for one policy, ``ri``. It speaks for all that ask for the same
        authentication: the same identities, addresses, CA, and demands on the certificate.

        :raises AuthenticationError: it is with somebody else, or asks for another authentication.
        """
        policy = self._rules.config.policies.get(number)
        if policy is None:
            raise InvalidId(f"there is no policy {number}")
        proven = self._rules.config.policies[ae.ri].authentication
        if (ae.lc, proven) != (policy.local.identity_id, policy.authentication):
            raise AuthenticationError(
                f"{ae} authenticated identity {ae.ri} to {ae.lc}, not those of policy {number}"
            )
        return policy


def _encap(ports: tuple[int, ...]) -> tuple[int, int] | None:
    if len(ports) == 1:
        raise InvalidParameter("ESP in UDP needs two ports")
    return (ports[0], ports[1]) if ports else None


def _truth(value: bool) -> str:
    return str(value).upper()


def _spis(request: Create) -> tuple[str, str]:
    return hexadecimal(request.spi_loc), hexadecimal(request.spi_rem)
