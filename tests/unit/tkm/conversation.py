# SPDX-License-Identifier: GPL-2.0-or-later
"""What two IKE daemons ask of their TKMs while they talk: the order of calls is charon's.

A :class:`Conversation` is one IKE SA seen from both ends. Each of its methods does on both sides
what one exchange of IKEv2 makes the daemons do; what they would send each other is passed on.
"""

import os
import struct
from dataclasses import dataclass, field
from typing import Any

from tests.unit.tkm.messages import KE, init_message, intermediate_message
from tests.unit.trusted import Host, State, hosts
from tkm.core.message import Half
from tkm.rpc import rpc2
from tkm.rpc.interface import Request

SHA2_256 = 2
MODP_2048, MODP_3072, MODP_4096 = 14, 15, 16


@dataclass
class End:
    """One host's view of an IKE SA.

    :ivar initiator: the host began the conversation; not the exchange at hand.
    """

    host: Host
    initiator: bool
    isa: int
    ae: int = 1
    spi: bytes = field(default_factory=lambda: os.urandom(8))
    nonce: bytes = b""
    public_values: tuple[bytes, ...] = ()
    init_message: bytes = b""
    exchanges: int = 0

    def call(self, request: Request[Any]) -> Any:
        return self.host.client.call(request)


class Conversation:
    """An IKE SA between two hosts; the first one initiates."""

    def __init__(self, initiator: Host, responder: Host, isa: int = 1, ae: int = 1) -> None:
        self.initiator = End(initiator, True, isa, ae)
        self.responder = End(responder, False, isa, ae)
        self.ends = (self.initiator, self.responder)

    def pairs(self) -> Any:
        """Each end with the other one."""
        return ((self.initiator, self.responder), (self.responder, self.initiator))

    def exchange_keys(self, *methods: int) -> None:
        """Nonces and public values there and back; contexts ke 1, 2 … and nc 1 are left ready."""
        for end in self.ends:
            end.public_values = tuple(
                end.call(rpc2.KeGet(ke=ke, method=method)).public_value
                for ke, method in enumerate(methods, 1)
            )
            end.nonce = end.call(rpc2.NcCreate(nc=1, length=32)).nonce
        for end, other in self.pairs():
            for ke, (method, value) in enumerate(zip(methods, other.public_values, strict=True), 1):
                end.call(rpc2.KeSet(ke=ke, method=method, public_value=value))

    def ike_sa_init(self, method: int = MODP_4096, ia: int = 1) -> None:
        self.exchange_keys(method)
        for end, other in self.pairs():
            self.derive(end, other, method, ia)

    @staticmethod
    def derive(end: End, other: End, method: int, ia: int = 1) -> None:
        """One end's keys, from what was exchanged."""
        half = Half(end.spi, method, end.public_values[0], end.nonce)
        end.init_message = init_message(half, other.spi, by_initiator=end.initiator)
        end.call(
            rpc2.IsaCreate(
                isa=end.isa, ae=end.ae, ia=ia, ke=1, nc_loc=1, nonce_rem=other.nonce,
                initiator=end.initiator, spi_loc=end.spi, spi_rem=other.spi,
            )
        )  # fmt: skip
        end.call(rpc2.NcReset(nc=1))
        end.call(rpc2.KeReset(ke=1))

    def ike_intermediate(self, method: int) -> None:
        """A further key exchange (RFC 9370), its messages covered by AUTH (RFC 9242)."""
        messages = {}
        for end in self.ends:
            end.public_values = (end.call(rpc2.KeGet(ke=1, method=method)).public_value,)
            messages[end.host.name] = self.intermediate_message(end, method)
        for end, other in self.pairs():
            (value,) = other.public_values
            end.call(rpc2.KeSet(ke=1, method=method, public_value=value))
            for sender in self.ends:
                message = messages[sender.host.name]
                end.call(rpc2.IsaIntAuth(isa=end.isa, verify=sender is other, message=message))
            end.call(rpc2.IsaUpdate(isa=end.isa, ke=1))

    def intermediate_message(self, end: End, method: int = MODP_3072) -> bytes:
        """The next IKE_INTERMEDIATE message of one end."""
        end.exchanges += 1
        exchange = struct.pack(">HH", method, 0) + end.public_values[0]
        return intermediate_message(
            (self.initiator.spi, self.responder.spi), end.exchanges,
            by_initiator=end.initiator, inside=[(KE, exchange)],
        )  # fmt: skip

    def sign(self, end: End, hash_algorithms: tuple[int, ...] = (SHA2_256,)) -> Any:
        return end.call(
            rpc2.IsaSign(
                isa=end.isa, lc=1, hash_algorithms=hash_algorithms, init_message=end.init_message
            )
        )

    def check_chain(self, end: End, other: End, *intermediates: bytes) -> None:
        end.call(rpc2.CcCheckCa(cc=1, ca=1, certificate=end.host.ca))
        for certificate in (*intermediates, other.host.certificate):
            end.call(rpc2.CcAddCertificate(cc=1, certificate=certificate))
        end.call(rpc2.CcCheckChain(cc=1, ri=1))

    def authenticate(self, end: End, other: End, auth: rpc2.SignatureReply) -> None:
        end.call(
            rpc2.IsaAuth(
                isa=end.isa, cc=1, init_message=other.init_message,
                method=auth.method, signature=auth.signature,
            )
        )  # fmt: skip

    def ike_auth(self, hash_algorithms: tuple[int, ...] = (SHA2_256,)) -> None:
        """Both sides sign, then authenticate the other."""
        signatures = {end.host.name: self.sign(end, hash_algorithms) for end in self.ends}
        for end, other in self.pairs():
            self.check_chain(end, other)
            self.authenticate(end, other, signatures[other.host.name])
            end.call(rpc2.CcReset(cc=1))

    def first_child(self, esa: int = 1) -> None:
        spis = self.esp_spis()
        for end, other in self.pairs():
            end.call(
                rpc2.EsaCreateFirst(
                    esa=esa, isa=end.isa, sp=1, ea=1,
                    spi_loc=spis[end.host.name], spi_rem=spis[other.host.name],
                )
            )  # fmt: skip
            end.call(rpc2.EsaSelect(esa=esa))

    def skip_first(self) -> None:
        for end in self.ends:
            end.call(rpc2.IsaSkipCreateFirst(isa=end.isa))

    def start(self, method: int = MODP_4096) -> "Conversation":
        """All up to and with the first Child SA."""
        for end in self.ends:
            end.call(rpc2.TkmReset())
            end.call(rpc2.TkmLimits())
        self.ike_sa_init(method)
        self.ike_auth()
        self.first_child()
        return self

    def create_child(self, by: Host, esa: int, *methods: int) -> None:
        """A Child SA that ``by`` wants; without methods there is no PFS."""
        spis = self.esp_spis()
        if methods:
            self.exchange_keys(*methods)
        else:
            for end in self.ends:
                end.nonce = end.call(rpc2.NcCreate(nc=1, length=32)).nonce
        for end, other in self.pairs():
            common = {
                "esa": esa, "isa": end.isa, "sp": 1, "ea": 1, "nc_loc": 1,
                "nonce_rem": other.nonce, "initiator": end.host is by,
                "spi_loc": spis[end.host.name], "spi_rem": spis[other.host.name],
            }  # fmt: skip
            if methods:
                kes = tuple(range(1, len(methods) + 1))
                end.call(rpc2.EsaCreate(**common, ke=kes))
                end.call(rpc2.KeReset(ke=1))
            else:
                end.call(rpc2.EsaCreateNoPfs(**common))
            end.call(rpc2.EsaSelect(esa=esa))

    def delete_child(self, esa: int) -> None:
        for end in self.ends:
            end.call(rpc2.EsaReset(esa=esa))

    def rekey_child(self, by: Host, old: int, new: int, *methods: int) -> None:
        self.create_child(by, new, *methods)
        self.delete_child(old)

    def rekey_ike(self, by: Host, isa: int, *methods: int) -> "Conversation":
        """The IKE SA that takes this one's place."""
        self.exchange_keys(*methods)
        successor = Conversation(self.initiator.host, self.responder.host, isa, self.initiator.ae)
        if by is not self.initiator.host:
            successor.initiator.initiator, successor.responder.initiator = False, True
        for (end, other), (old, old_other) in zip(successor.pairs(), self.pairs(), strict=True):
            end.call(
                rpc2.IsaCreateChild(
                    isa=isa, parent=old.isa, ia=1, ke=tuple(range(1, len(methods) + 1)),
                    nc_loc=1, nonce_rem=old_other.nonce, initiator=end.host is by,
                    spi_loc=end.spi, spi_rem=other.spi,
                )
            )  # fmt: skip
            end.call(rpc2.NcReset(nc=1))
            end.call(rpc2.KeReset(ke=1))
            end.call(rpc2.IsaReset(isa=old.isa))
        return successor

    def delete(self) -> None:
        for end in self.ends:
            end.call(rpc2.IsaReset(isa=end.isa))
            end.call(rpc2.AeReset(ae=end.ae))

    def sign_as(self, end: End, lc: int) -> Any:
        """Sign with another local identity."""
        request: dict[str, Any] = {"hash_algorithms": (2,), "init_message": end.init_message}
        return end.call(rpc2.IsaSign(isa=end.isa, lc=lc, **request))

    @staticmethod
    def esp_spis() -> dict[str, bytes]:
        return {name: b"\xc0" + os.urandom(3) for name in ("alice", "bob")}

    def say(self, end: End, plain: bytes, aad: bytes = b"header") -> bytes:
        """A message that one end protects, as the other one gets it."""
        (other,) = (each for each in self.ends if each is not end)
        message = aad + plain
        sealed = end.call(
            rpc2.IsaEncrypt(isa=end.isa, aad_length=len(aad), message=message)
        ).protected
        plain_again: bytes = other.call(
            rpc2.IsaDecrypt(isa=other.isa, aad_length=len(aad), message=aad + sealed)
        ).plain
        return plain_again


def states(conversation: Conversation) -> set[State]:
    """The kernel states of both sides, which must be the same."""
    first, second = (set(end.host.kernel.states) for end in conversation.ends)
    assert first == second
    return first


def contexts_in_use(conversation: Conversation) -> list[str]:
    return [str(each) for end in conversation.ends for each in end.host.manager.contexts]


def established() -> Conversation:
    """alice and bob, with an IKE SA and a Child SA."""
    return Conversation(*hosts()).start(MODP_3072)
