# SPDX-License-Identifier: GPL-2.0-or-later
"""The Trusted Key Manager: all contexts, all operations, no I/O but the kernel's.

:meth:`KeyManager.dispatcher` is the whole of what the untrusted side can reach, unless it is
served in generation 1 (``tkm.generation1.translation``), which translates to the same handlers.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tkm.certs.crls import NOTHING_REVOKED, Revocation
from tkm.config.keys import PrivateKeys, TrustAnchors
from tkm.config.policy import Config
from tkm.core.handlers import ike_sa
from tkm.core.handlers.chain import Chains
from tkm.core.handlers.derive import Derivations
from tkm.core.handlers.esp_sa import EspSas
from tkm.core.handlers.ike_sa import Authentication, IkeSas
from tkm.core.handlers.key_exchange import KeyInputs
from tkm.core.kinds import Chain, Endpoint, EspSa, IkeSa, KeyExchange, Nonce
from tkm.core.machine import Context, Contexts
from tkm.core.operations import OPERATIONS
from tkm.core.own import OwnValues
from tkm.core.quota import Quotas
from tkm.core.rules import Rules
from tkm.errors import KernelError
from tkm.rpc import rpc2
from tkm.rpc.interface import Request
from tkm.rpc.record import Empty, Record
from tkm.rpc.server import Dispatcher, Handlers
from tkm.xfrm.model import Kernel

log = logging.getLogger(__name__)

Compute = Callable[..., Record]
"""What carries out a request on contexts."""

_RESETS: Final[dict[type[Request[Any]], tuple[type[Context], str, str]]] = {
    rpc2.NcReset: (Nonce, "nc", "nonce"),
    rpc2.KeReset: (KeyExchange, "ke", "KE"),
    rpc2.CcReset: (Chain, "cc", "CC"),
    rpc2.AeReset: (Endpoint, "ae", "AE"),
    rpc2.IsaReset: (IkeSa, "isa", "ISA"),
    rpc2.EsaReset: (EspSa, "esa", "ESA"),
}
"""What each reset resets: kind of context, field of its number, name in the log."""


CONTEXTS: Final = 4096
"""How many contexts of each kind there can be, unless told otherwise. They cost nothing unused."""


class KeyManager:
    """Owns every secret.

    :param kernel: where ESP happens.
    :param now: the time (UTC), for certificates.
    :param limit: how many contexts of each kind there can be.
    :param revocation: which certificates of peers and their CAs are revoked.
    """

    def __init__(
        self,
        config: Config,
        private_keys: PrivateKeys,
        anchors: TrustAnchors,
        kernel: Kernel,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        limit: int = CONTEXTS,
        revocation: Revocation = NOTHING_REVOKED,
    ) -> None:
        self._rules = rules = Rules(config, private_keys, anchors, revocation)
        self._kernel = kernel
        self._now = now
        self.limit = limit
        kinds = (Nonce, KeyExchange, Chain, Endpoint, IkeSa, EspSa)
        self.contexts = Contexts(*kinds, limit=limit, now=now)
        quotas = Quotas(self.contexts, rules, limit)
        own = OwnValues()
        derivations = Derivations(own)
        inputs = KeyInputs(own)
        ike_sas = IkeSas(rules, derivations, quotas)
        self.esp_sas = EspSas(rules, kernel, derivations, quotas, now)
        self.chains = Chains(rules, now)
        self.authentication = authentication = Authentication(rules, now, quotas)
        self._compute: dict[type[Request[Any]], Compute] = {
            rpc2.NcCreate: inputs.nc_create,
            rpc2.KeGet: inputs.ke_get,
            rpc2.KeSet: inputs.ke_set,
            rpc2.CcCheckCa: self.chains.check_ca,
            rpc2.CcAddCertificate: self.chains.add_certificate,
            rpc2.CcCheckChain: self.chains.check_chain,
            rpc2.IsaCreate: ike_sas.create,
            rpc2.IsaCreateChild: ike_sas.create_child,
            rpc2.IsaUpdate: ike_sas.update,
            rpc2.IsaIntAuth: ike_sa.int_auth,
            rpc2.IsaEncrypt: ike_sa.encrypt,
            rpc2.IsaDecrypt: ike_sa.decrypt,
            rpc2.IsaSign: authentication.sign,
            rpc2.IsaAuth: authentication.authenticate,
            rpc2.IsaSkipCreateFirst: ike_sa.skip_create_first,
            rpc2.EsaCreate: self.esp_sas.create,
            rpc2.EsaCreateNoPfs: self.esp_sas.create_no_pfs,
            rpc2.EsaCreateFirst: self.esp_sas.create_first,
            rpc2.EsaSelect: self.esp_sas.select,
        }

    def observe_ike_keys(self, observed: Callable[[Compute], Compute]) -> None:
        """Wrap every operation that gives an IKE SA new keys; see `tkm.daemon.expose`."""
        for request in (rpc2.IsaCreate, rpc2.IsaCreateChild, rpc2.IsaUpdate):
            self._compute[request] = observed(self._compute[request])

    def start(self) -> None:
        """Be the only owner of the kernel's SPD and SAD, where our policies are already.

        :raises KernelError: the kernel does not let us.
        """
        self._kernel.take_over(self._rules.config.policies.values())

    @property
    def key_size(self) -> int:
        """Bits of the longest private key."""
        return max(key.key_size for key in self._rules.keys.values())

    def reload(self, rules: Rules) -> None:
        """Take other rules; what does not rest on what they change goes on.

        A Child SA whose policy is gone or another one is removed. An authentication that rests on
        what is gone has ended: nothing new comes of it, and the IKE daemon can still say goodbye.

        :raises KernelError: the kernel does not take the policies; all is as it was.
        """
        before = replace(self._rules)
        try:
            self._kernel.replace(rules.config.policies.values())
        except KernelError:
            self._kernel.replace(before.config.policies.values())
            raise
        vars(self._rules).update(vars(rules))
        ended = self._now() - timedelta(microseconds=1)
        for context in list(self.contexts):
            if rules.supports(context, before, self._now()):
                continue
            log.info("%s rests on what is no longer configured", context)
            if isinstance(context, EspSa):
                self._reset(rpc2.EsaReset(esa=context.number))
            else:
                context.expires = ended

    def stop(self, *, flush: bool = False) -> None:
        """Destroy all secrets, in the kernel too. Policies stay: what they cover is held back.

        :param flush: remove the policies, too: what they cover is plain from then on.
        :raises KernelError: the kernel does not let us; our own secrets are destroyed.
        """
        self.contexts.reset_all()
        if flush:
            self._kernel.flush()
        else:
            self._kernel.flush_states()

    def count_contexts(self) -> None:
        """Log how many contexts of each kind are in use."""
        counts = {kind: len(store) for kind, store in self.contexts.stores.items()}
        told = ", ".join(f"{kind.table.name} {count}" for kind, count in counts.items())
        log.info("Contexts in use: %s", told)

    def perform(self, request: Request[Any]) -> Any:
        """Carry out an operation on contexts.

        :raises TkmError: it is refused; nothing has changed.
        """
        operation = OPERATIONS[request.operation]
        return self.contexts.perform(operation, request, self._compute[type(request)])

    @property
    def handlers(self) -> Handlers:
        """What carries out each request of generation 2."""
        limits = rpc2.LimitsReply(
            max_active_requests=1,
            **dict.fromkeys(("nc", "ke", "cc", "ae", "isa", "esa"), self.limit),
        )
        return {
            rpc2.TkmVersion: lambda _: rpc2.VersionReply(version=rpc2.VERSION),
            rpc2.TkmLimits: lambda _: limits,
            rpc2.TkmReset: self._reset_all,
            **dict.fromkeys(_RESETS, self._reset),
            **dict.fromkeys(self._compute, self.perform),
        }

    def dispatcher(self) -> Dispatcher:
        """Generation 2, ready to be served."""
        return Dispatcher(rpc2.RPC2, self.handlers, self.contexts.all_or_nothing)

    def _reset(self, request: Request[Any]) -> Empty:
        kind, field, name = _RESETS[type(request)]
        number = getattr(request, field)
        context = self.contexts.store(kind)[number]
        log.info("Resetting %s context %d", name, number)
        if isinstance(context, EspSa):
            self.esp_sas.reset(context)
        self.contexts.store(kind).reset(number)
        return Empty()

    def _reset_all(self, _request: rpc2.TkmReset) -> Empty:
        log.info("Resetting all contexts")
        kept: dict[Context, KernelError] = {}
        for esa in self.contexts.store(EspSa).values():
            try:
                self.esp_sas.reset(esa)
            except KernelError as error:
                # This holds up nothing else: secrets go in any case. The states are not forgotten.
                kept[esa] = error
        self.contexts.reset_all(keep=kept)
        if kept:
            raise KernelError("; ".join(f"{esa} stays: {error}" for esa, error in kept.items()))
        return Empty()
