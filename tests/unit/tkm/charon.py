# SPDX-License-Identifier: GPL-2.0-or-later
"""The calls of an IKE daemon as strongSwan's charon-tkm makes them, in generation 1.

It takes requests of generation 2, so that every conversation can be led in either generation.
"""

from typing import Any

from tests.unit.trusted import Host, config_of, host, transport_to
from tkm.config.policy import Config
from tkm.generation1 import rpc1
from tkm.generation1.translation import Generation1
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import Request
from tkm.rpc.record import Empty
from tkm.rpc.result import Refused, Result

RSA_SIGNATURE = 1
_SAME = {kind.operation: kind for kind in rpc1.RPC1}


class Charon:
    """In the place of a client of generation 2."""

    def __init__(self, rpc1_client: Client) -> None:
        self.client = rpc1_client
        self._chains: dict[int, tuple[int, list[bytes]]] = {}

    def call(self, request: Request[Any]) -> Any:
        translate = getattr(self, f"_{request.operation}", self._as_it_is)
        return translate(request)

    def _as_it_is(self, request: Request[Any], **further: Any) -> Any:
        name = request.operation.replace("ke_", "dh_", 1)
        kind = _SAME[name]
        values = {name: value for name, value in vars(request).items() if name in kind.fields}
        return self.client.call(kind(**values, **further))

    def _ke_reset(self, request: rpc2.KeReset) -> Any:
        return self.client.call(rpc1.DhReset(dh=request.ke))

    def _ke_get(self, request: rpc2.KeGet) -> Any:
        dha = {15: 1, 16: 2}[request.method]
        return self.client.call(rpc1.DhCreate(dh=request.ke, dha=dha))

    def _ke_set(self, request: rpc2.KeSet) -> Any:
        value = request.public_value
        return self.client.call(rpc1.DhGenerateKey(dh=request.ke, public_value=value))

    def _cc_check_ca(self, request: rpc2.CcCheckCa) -> Empty:
        self._chains[request.cc] = (request.ca, [request.certificate])
        return Empty()

    def _cc_add_certificate(self, request: rpc2.CcAddCertificate) -> Empty:
        self._chains[request.cc][1].insert(0, request.certificate)
        return Empty()

    def _cc_check_chain(self, request: rpc2.CcCheckChain) -> Any:
        cc, (ca, (peer, *issuers)) = request.cc, self._chains.pop(request.cc)
        self.client.call(rpc1.CcSetUserCertificate(cc=cc, ri=request.ri, autha=1, certificate=peer))
        for certificate in issuers:
            self.client.call(rpc1.CcAddCertificate(cc=cc, autha=1, certificate=certificate))
        return self.client.call(rpc1.CcCheckCa(cc=cc, ca=ca))

    def _isa_create(self, request: rpc2.IsaCreate) -> Any:
        return self._as_it_is(request, dh=request.ke)

    def _isa_create_child(self, request: rpc2.IsaCreateChild) -> Any:
        (dh,) = request.ke
        return self._as_it_is(request, dh=dh)

    def _isa_sign(self, request: rpc2.IsaSign) -> rpc2.SignatureReply:
        reply = self._as_it_is(request)
        return rpc2.SignatureReply(method=RSA_SIGNATURE, signature=reply.signature)

    def _isa_auth(self, request: rpc2.IsaAuth) -> Any:
        if request.method != RSA_SIGNATURE:
            raise Refused(request.operation, Result.INVALID_PARAMETER)
        return self._as_it_is(request)

    def _esa_create(self, request: rpc2.EsaCreate) -> Any:
        (dh,) = request.ke
        return self._as_it_is(request, dh=dh)


def host1(name: str, config: Config | None = None) -> Host:
    """A host whose TKM is served in generation 1."""
    made = host(name, config or config_of(name))
    dispatcher = Generation1(made.manager).dispatcher()
    made.client = Charon(Client(rpc1.RPC1, transport_to(dispatcher)))
    return made
