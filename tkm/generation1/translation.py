# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation 1, for released charon-tkm: each request becomes one of generation 2's.

What generation 1 does differently is all here: chains grow from the peer up to the CA, a key
exchange is begun by our side, AUTH is always method 1, the keys that protect IKE messages are
handed out, and an ESP SA may send before it is selected. The rest has other frames only.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from tkm.core.handlers.esp_sa import Create
from tkm.core.kinds import EspSa, IkeSa, KeyExchange
from tkm.core.manager import KeyManager
from tkm.crypto.signature import RSA_DIGITAL_SIGNATURE
from tkm.errors import ConfigError, InvalidId, InvalidState, TkmError
from tkm.generation1 import rpc1
from tkm.generation1.chain import FROM_PEER, ChainsFromPeer
from tkm.rpc import rpc2
from tkm.rpc.interface import Request
from tkm.rpc.record import Empty, Record
from tkm.rpc.server import Dispatcher

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)
Q = TypeVar("Q", bound=Request[Any])

_METHODS: Final = {1: 15, 2: 16, 15: 15, 16: 16}
"""Key exchange methods by ``dha``."""

_SAME: Final[dict[type[Request[Any]], type[Request[Any]]]] = {
    rpc1.TkmReset: rpc2.TkmReset,
    rpc1.NcReset: rpc2.NcReset,
    rpc1.CcReset: rpc2.CcReset,
    rpc1.AeReset: rpc2.AeReset,
    rpc1.IsaReset: rpc2.IsaReset,
    rpc1.IsaSkipCreateFirst: rpc2.IsaSkipCreateFirst,
    rpc1.EsaCreateNoPfs: rpc2.EsaCreateNoPfs,
    rpc1.EsaCreateFirst: rpc2.EsaCreateFirst,
    rpc1.EsaSelect: rpc2.EsaSelect,
}
"""Requests that are the same but for their layout."""


class Generation1:
    """Serves generation 1 with a Key Manager.

    :raises ConfigError: its signatures do not fit a response.
    """

    def __init__(self, manager: KeyManager) -> None:
        if manager.key_size > 8 * rpc1.SIGNATURE:
            raise ConfigError(
                f"generation 1 has no room for signatures of {manager.key_size} bits: "
                f"take a private key of at most {8 * rpc1.SIGNATURE}"
            )
        manager.authentication.sha1 = True  # there is no other signature
        manager.esp_sas.sends_at_once = self._sends_at_once
        self._contexts = manager.contexts
        self._limit = min(manager.limit, rpc1.HIGHEST_ID)
        self._handlers = manager.handlers
        chains = ChainsFromPeer(manager.chains)
        self._chain_operations: dict[type[Request[Any]], Callable[..., Record]] = {
            rpc1.CcSetUserCertificate: chains.set_user_certificate,
            rpc1.CcAddCertificate: chains.add_issuer,
            rpc1.CcCheckCa: chains.check_top,
        }

    def dispatcher(self) -> Dispatcher:
        """Generation 1, ready to be served."""
        return Dispatcher(
            rpc1.RPC1,
            {
                rpc1.TkmVersion: lambda _: rpc1.VersionReply(version=rpc1.VERSION),
                rpc1.TkmLimits: self._limits,
                rpc1.NcCreate: self._nc_create,
                rpc1.DhReset: lambda request: self._ask(rpc2.KeReset(ke=request.dh)),
                rpc1.DhCreate: self._dh_create,
                rpc1.DhGenerateKey: self._dh_generate_key,
                rpc1.IsaCreate: self._isa_create,
                rpc1.IsaCreateChild: self._isa_create_child,
                rpc1.IsaSign: self._isa_sign,
                rpc1.IsaAuth: self._isa_auth,
                rpc1.EsaCreate: self._esa_create,
                rpc1.EsaReset: self._esa_reset,
                **dict.fromkeys(_SAME, self._same),
                **dict.fromkeys(self._chain_operations, self._chain),
            },
            self._contexts.all_or_nothing,
        )

    def _ask(self, request: Request[R]) -> R:
        return self._handlers[type(request)](request)  # type: ignore[return-value]

    def _same(self, request: Request[Any]) -> Record:
        reply: Record = self._ask(_translated(_SAME[type(request)], request))
        return reply

    def _chain(self, request: Request[Any]) -> Record:
        compute = self._chain_operations[type(request)]
        reply: Record = self._contexts.perform(FROM_PEER[request.operation], request, compute)
        return reply

    def _limits(self, _request: rpc1.TkmLimits) -> rpc1.LimitsReply:
        kinds = ("nc", "dh", "cc", "ae", "isa", "esa")
        return rpc1.LimitsReply(max_active_requests=1, **dict.fromkeys(kinds, self._limit))

    def _nc_create(self, request: rpc1.NcCreate) -> rpc1.NonceReply:
        return rpc1.NonceReply(nonce=self._ask(_translated(rpc2.NcCreate, request)).nonce)

    def _dh_create(self, request: rpc1.DhCreate) -> rpc1.PublicValueReply:
        method = _METHODS.get(request.dha)
        if method is None:
            raise InvalidId(f"there is no Diffie-Hellman algorithm {request.dha}")
        reply = self._ask(rpc2.KeGet(ke=request.dh, method=method))
        return rpc1.PublicValueReply(public_value=reply.public_value)

    def _dh_generate_key(self, request: rpc1.DhGenerateKey) -> Empty:
        ke = self._contexts.store(KeyExchange)[request.dh]
        if ke.private is None:
            raise InvalidState(f"{ke} is {ke.state}: it was not begun")
        return self._ask(
            rpc2.KeSet(ke=ke.number, method=ke.method, public_value=request.public_value)
        )

    def _isa_create(self, request: rpc1.IsaCreate) -> rpc1.KeysReply:
        self._ask(_translated(rpc2.IsaCreate, request, ke=request.dh))
        return self._keys(request.isa)

    def _isa_create_child(self, request: rpc1.IsaCreateChild) -> rpc1.KeysReply:
        self._ask(_translated(rpc2.IsaCreateChild, request, ke=(request.dh,)))
        return self._keys(request.isa)

    def _keys(self, number: int) -> rpc1.KeysReply:
        keys = self._contexts.store(IkeSa)[number].secret_keys
        return rpc1.KeysReply(
            sk_ai=bytearray(keys.ai.octets),
            sk_ar=bytearray(keys.ar.octets),
            sk_ei=bytearray(keys.ei.octets),
            sk_er=bytearray(keys.er.octets),
        )

    def _isa_sign(self, request: rpc1.IsaSign) -> rpc1.SignatureReply:
        reply = self._ask(_translated(rpc2.IsaSign, request, hash_algorithms=()))
        return rpc1.SignatureReply(signature=reply.signature)

    def _isa_auth(self, request: rpc1.IsaAuth) -> Empty:
        return self._ask(_translated(rpc2.IsaAuth, request, method=RSA_DIGITAL_SIGNATURE))

    def _esa_create(self, request: rpc1.EsaCreate) -> Empty:
        return self._ask(_translated(rpc2.EsaCreate, request, ke=(request.dh,)))

    def _sends_at_once(self, request: Create) -> bool:
        """Whether an ESP SA sends before it is selected.

        charon-tkm selects one only when it deletes the one whose place it takes.
        """
        is_first = isinstance(request, rpc2.EsaCreateFirst)
        return is_first or all(esa.outbound for esa in self._of_policy(request.sp))

    def _esa_reset(self, request: rpc1.EsaReset) -> Empty:
        """Reset an ESP SA; if none sends any more that its policy has, the youngest one does."""
        policy = self._contexts.store(EspSa)[request.esa].sp
        reply = self._ask(_translated(rpc2.EsaReset, request))
        left = self._of_policy(policy)
        if left and all(esa.outbound for esa in left):
            try:
                self._ask(rpc2.EsaSelect(esa=left[-1].number))
            except TkmError as error:
                log.warning("%s does not send: %s", left[-1], error)
        return reply

    def _of_policy(self, number: int) -> list[EspSa]:
        """The ESP SAs of a policy, the oldest first."""
        return [esa for esa in self._contexts.store(EspSa).values() if esa.sp == number]


def _translated(kind: type[Q], request: Request[Any], **further: object) -> Q:
    """The request of generation 2 with the same values where it has the same fields."""
    values = {name: value for name, value in vars(request).items() if name in kind.fields}
    return kind(**values, **further)
