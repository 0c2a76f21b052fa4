# SPDX-License-Identifier: GPL-2.0-or-later
"""Any requests in any order, against a model of the specification.

What the model grants must succeed; anything else must be refused and change nothing at all. The
peer is genuine where a step needs one: its signature is made with bob's key over what alice's TKM
has derived.
"""

import dataclasses
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.tkm.messages import KE, init_message, intermediate_message
from tests.unit.tkm.model import Model
from tests.unit.tkm.snapshot import picture, snapshot
from tests.unit.trusted import config_of, host, identity, pki
from tkm.config.policy import Config
from tkm.core.handlers.ike_sa import _int_auth
from tkm.core.kinds import IkeSa
from tkm.crypto.key_exchange import method_of
from tkm.crypto.signature import sign, signed_octets
from tkm.identity import parse
from tkm.rpc import rpc2
from tkm.rpc.interface import Request
from tkm.rpc.record import Empty
from tkm.rpc.result import Refused

IDS = st.integers(1, 3)
KES = st.lists(IDS, min_size=1, max_size=2).map(tuple)
GOOD = st.sampled_from([True, True, True, False])
CERTIFICATES = {
    "ca": pki().ca.root.certificate.der,
    "bob": pki().certificates["bob"],
    "alice": pki().certificates["alice"],
    "none": b"no certificate",
}
RESETS: dict[str, type[Request[Empty]]] = {
    "nc": rpc2.NcReset,
    "ke": rpc2.KeReset,
    "cc": rpc2.CcReset,
    "ae": rpc2.AeReset,
    "isa": rpc2.IsaReset,
    "esa": rpc2.EsaReset,
}
PUBLIC_VALUE = method_of(15).generate().public_value()


def with_carol() -> Config:
    """Policy 1 is with bob, policy 2 with somebody else at the same place."""
    config = config_of("alice")
    policy = config.policies[1]
    remote = dataclasses.replace(policy.remote, identity=identity("carol"))
    config.policies[2] = dataclasses.replace(policy, id=2, remote=remote)
    return config


class Sequences(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.host = host("alice", with_carol())
        self.model = Model()

    def ask(self, request: Request[Any], granted: bool, spends: bool = False) -> None:
        """Check that a request is granted or refused; ``spends``: what it takes is used up."""
        before = snapshot(self.host)
        try:
            self.host.client.call(request)
        except Refused:
            assert not granted, f"{request} was refused"
            assert spends or snapshot(self.host) == before
        else:
            assert granted, f"{request} was granted"

    @invariant()
    def the_states_are_those_of_the_model(self) -> None:
        assert picture(self.host) == self.model.picture()
        assert len(self.host.kernel.states) == self.model.states_of_kernel()

    @rule(kind=st.sampled_from(list(RESETS)), number=IDS)
    def reset(self, kind: Any, number: Any) -> None:
        self.model.reset_one(kind, number)
        self.ask(RESETS[kind](**{kind: number}), True)

    @rule(often=st.integers(0, 9))
    def reset_all(self, often: Any) -> None:
        if not often:
            self.model.reset()
            self.ask(rpc2.TkmReset(), True)

    @rule(refuses=GOOD)
    def kernel(self, refuses: Any) -> None:
        self.host.kernel.refuses = not refuses

    @rule(nc=IDS, length=st.integers(32, 256))
    def nc_create(self, nc: Any, length: Any) -> None:
        self.ask(rpc2.NcCreate(nc=nc, length=length), self.model.nc_create(nc))

    @rule(ke=IDS, method=st.sampled_from([15, 15, 15, 16, 13]))
    def ke_get(self, ke: Any, method: Any) -> None:
        granted = self.model.ke_step(ke, "get", method, method != 13)
        self.ask(rpc2.KeGet(ke=ke, method=method), granted)

    @rule(ke=IDS, method=st.sampled_from([15, 15, 15, 16]), good=GOOD)
    def ke_set(self, ke: Any, method: Any, good: Any) -> None:
        granted = self.model.ke_step(ke, "set", method, good and method == 15)
        value = PUBLIC_VALUE if good else bytes(384)
        self.ask(rpc2.KeSet(ke=ke, method=method, public_value=value), granted)

    @rule(ke=IDS, nc=IDS)
    def exchange_keys(self, ke: Any, nc: Any) -> None:
        self.nc_create(nc, 32)
        self.ke_get(ke, 15)
        self.ke_set(ke, 15, True)

    @rule(cc=IDS, ca=st.sampled_from([1, 1, 2]), name=st.sampled_from(list(CERTIFICATES)))
    def cc_check_ca(self, cc: Any, ca: Any, name: Any) -> None:
        granted = self.model.cc_check_ca(cc, ca == 1 and name == "ca")
        self.ask(rpc2.CcCheckCa(cc=cc, ca=ca, certificate=CERTIFICATES[name]), granted)

    @rule(cc=IDS, name=st.sampled_from(list(CERTIFICATES)))
    def cc_add_certificate(self, cc: Any, name: Any) -> None:
        granted = name != "none" and self.model.cc_add(cc, name, "ca")
        self.ask(rpc2.CcAddCertificate(cc=cc, certificate=CERTIFICATES[name]), granted)

    @rule(cc=IDS, ri=st.sampled_from([1, 1, 2]))
    def cc_check_chain(self, cc: Any, ri: Any) -> None:
        self.ask(rpc2.CcCheckChain(cc=cc, ri=ri), self.model.cc_check_chain(cc, ri))

    @rule(isa=IDS, ae=IDS, ke=IDS, nc=IDS, initiator=st.booleans(), good=GOOD)
    def isa_create(self, isa: Any, ae: Any, ke: Any, nc: Any, initiator: Any, good: Any) -> None:
        granted = self.model.isa_create(isa, ae, ke, nc, good)
        self.ask(
            rpc2.IsaCreate(
                isa=isa, ae=ae, ia=1 if good else 2, ke=ke, nc_loc=nc,
                nonce_rem=os.urandom(32), initiator=initiator, spi_loc=b"l" * 8, spi_rem=b"r" * 8,
            ),
            granted,
        )  # fmt: skip

    @rule(isa=IDS, parent=IDS, kes=KES, nc=IDS, initiator=st.booleans(), good=GOOD)
    def isa_create_child(
        self, isa: Any, parent: Any, kes: Any, nc: Any, initiator: Any, good: Any
    ) -> None:
        granted = self.model.isa_create_child(isa, parent, kes, nc, good)
        self.ask(
            rpc2.IsaCreateChild(
                isa=isa, parent=parent, ia=1 if good else 2, ke=kes, nc_loc=nc,
                nonce_rem=os.urandom(32), initiator=initiator, spi_loc=b"l" * 8, spi_rem=b"r" * 8,
            ),
            granted,
        )  # fmt: skip

    @rule(isa=IDS, ke=IDS)
    def isa_update(self, isa: Any, ke: Any) -> None:
        self.ask(rpc2.IsaUpdate(isa=isa, ke=ke), self.model.isa_update(isa, ke))

    @rule(isa=IDS, verify=st.booleans(), message=st.binary(min_size=1, max_size=40), good=GOOD)
    def isa_int_auth(self, isa: Any, verify: Any, message: Any, good: Any) -> None:
        """Of both sides, if it is one: a message that only one side has sent is never covered."""
        granted = self.model.state(isa) == "unauth" and good
        if not granted:
            self.ask(rpc2.IsaIntAuth(isa=isa, verify=verify, message=message), granted)
            return
        ike_sa = self.host.manager.contexts.store(IkeSa)[isa]
        spis, number = (ike_sa.roles.spi_i, ike_sa.roles.spi_r), ike_sa.ae.int_auth.messages_loc + 1
        for is_peers in (verify, not verify):
            octets = intermediate_message(
                spis, number, by_initiator=ike_sa.ae.initiator != is_peers, inside=[(KE, message)]
            )
            self.ask(rpc2.IsaIntAuth(isa=isa, verify=is_peers, message=octets), granted)

    @rule(
        isa=IDS,
        lc=st.sampled_from([1, 1, 2]),
        announced=st.sampled_from([(), (2,), (4, 7)]),
        good=GOOD,
    )
    def isa_sign(self, isa: Any, lc: Any, announced: Any, good: Any) -> None:
        # Without a hash of SHA-2, method 1 is left, which no policy here allows.
        is_possible = lc == 1 and good and bool(announced)
        granted = self.model.isa_step(isa, "unauth", "loc_auth", is_possible)
        message = self.init_message(isa, peers=not good)
        self.ask(
            rpc2.IsaSign(isa=isa, lc=lc, hash_algorithms=announced, init_message=message), granted
        )

    def init_message(self, number: int, *, peers: bool) -> bytes:
        """Ours or the peer's."""
        isa = self.host.manager.contexts.store(IkeSa)[number]
        if isa.keys is None:
            return b"there is no IKE SA"
        sender, other = (isa.ae.rem, isa.ae.loc) if peers else (isa.ae.loc, isa.ae.rem)
        return init_message(sender, other.spi, by_initiator=isa.ae.initiator != peers)

    @rule(isa=IDS, cc=IDS, good=GOOD)
    def isa_auth(self, isa: Any, cc: Any, good: Any) -> None:
        auth = self.signature_of_bob(isa)
        good = good and cc in self.model.checked
        granted = self.model.isa_step(isa, "loc_auth", "authenticated", good)
        message = self.init_message(isa, peers=good)
        self.ask(
            rpc2.IsaAuth(
                isa=isa, cc=cc, init_message=message, method=auth.method, signature=auth.data
            ),
            granted,
        )

    def signature_of_bob(self, number: Any) -> Any:
        isa = self.host.manager.contexts.store(IkeSa)[number]
        if isa.keys is None:
            return sign(pki().keys["bob"], b"", (2,))
        _, sk_p = isa.auth_keys
        init = self.init_message(number, peers=True)
        maced_id = isa.suite.prf(sk_p.octets, parse(identity("bob")).payload)
        octets = signed_octets(init, isa.ae.loc.nonce, maced_id, _int_auth(isa.ae))
        return sign(pki().keys["bob"], octets, (2,))

    @rule(isa=IDS)
    def isa_skip_create_first(self, isa: Any) -> None:
        granted = self.model.isa_step(isa, "authenticated", "active") or self.model.isa_step(
            isa, "forfeited", "active"
        )
        self.ask(rpc2.IsaSkipCreateFirst(isa=isa), granted)

    @rule(isa=IDS, ae=IDS, ke=IDS, nc=IDS, cc=IDS)
    def handshake(self, isa: Any, ae: Any, ke: Any, nc: Any, cc: Any) -> None:
        self.exchange_keys(ke, nc)
        self.isa_create(isa, ae, ke, nc, True, True)
        self.isa_sign(isa, 1, (2,), True)
        self.cc_check_ca(cc, 1, "ca")
        self.cc_add_certificate(cc, "bob")
        self.cc_check_chain(cc, 1)
        self.isa_auth(isa, cc, True)

    @rule(isa=IDS, esa=IDS, kes=KES, nc=IDS, sp=st.integers(1, 2))
    def child(self, isa: Any, esa: Any, kes: Any, nc: Any, sp: Any) -> None:
        """An IKE SA that may have a Child SA, and the one with several key exchanges."""
        self.handshake(isa, isa, 1, 1, 1)
        self.isa_skip_create_first(isa)
        for ke in kes:
            self.exchange_keys(ke, nc)
        self.esa_create(esa, isa, kes, nc, True, True, sp)

    @rule(isa=IDS, length=st.sampled_from([0, 16, 17, 48]))
    def isa_encrypt(self, isa: Any, length: Any) -> None:
        granted = isa in self.model.isa and length % 16 == 0 and length > 0
        message = b"head" + bytes(length)
        self.ask(rpc2.IsaEncrypt(isa=isa, aad_length=4, message=message), granted)

    @rule(isa=IDS, octets=st.binary(min_size=1, max_size=100))
    def isa_decrypt(self, isa: Any, octets: Any) -> None:
        self.ask(rpc2.IsaDecrypt(isa=isa, aad_length=0, message=octets), False)

    def spis(self, good: Any) -> Any:
        spi = b"\xc0" + os.urandom(3)
        return {"spi_loc": spi, "spi_rem": b"\xc1" + spi[1:] if good else b"\0\0\0\1"}

    @rule(
        esa=IDS, isa=IDS, kes=KES, nc=IDS, initiator=st.booleans(), good=GOOD, sp=st.integers(1, 2)
    )
    def esa_create(
        self, esa: Any, isa: Any, kes: Any, nc: Any, initiator: Any, good: Any, sp: Any
    ) -> None:
        spends = self.host.kernel.refuses
        granted = self.model.esa_create(esa, isa, kes, nc, good and sp == 1, not spends)
        self.ask(
            rpc2.EsaCreate(
                esa=esa, isa=isa, sp=sp, ea=1, ke=kes, nc_loc=nc, nonce_rem=bytes(32),
                initiator=initiator, **self.spis(good),
            ),
            granted,
            spends,
        )  # fmt: skip

    @rule(esa=IDS, isa=IDS, nc=IDS, initiator=st.booleans(), good=GOOD)
    def esa_create_no_pfs(self, esa: Any, isa: Any, nc: Any, initiator: Any, good: Any) -> None:
        spends = self.host.kernel.refuses
        granted = self.model.esa_create(esa, isa, (), nc, good, not spends)
        self.ask(
            rpc2.EsaCreateNoPfs(
                esa=esa, isa=isa, sp=1, ea=1, nc_loc=nc, nonce_rem=bytes(32),
                initiator=initiator, **self.spis(good),
            ),
            granted,
            spends,
        )  # fmt: skip

    @rule(esa=IDS, isa=IDS, good=GOOD)
    def esa_create_first(self, esa: Any, isa: Any, good: Any) -> None:
        spends = self.host.kernel.refuses
        granted = self.model.esa_create_first(esa, isa, good, not spends)
        request = rpc2.EsaCreateFirst(esa=esa, isa=isa, sp=1, ea=1, **self.spis(good))
        self.ask(request, granted, spends)

    @rule(esa=IDS)
    def esa_select(self, esa: Any) -> None:
        spends = self.host.kernel.refuses
        self.ask(rpc2.EsaSelect(esa=esa), self.model.esa_select(esa, not spends), spends)


TestSequences = Sequences.TestCase
TestSequences.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
