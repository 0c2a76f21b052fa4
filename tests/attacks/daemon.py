# SPDX-License-Identifier: GPL-2.0-or-later
"""A subverted IKE daemon: it asks alice's Key Manager for anything, in any order.

It knows every octet that the Key Manager has given out and every octet of the wire; it can play a
peer that has bob's key, too. ``RULES`` has what each operation may do, whoever asks: an operation
without its row fails a test.
"""

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.unit.tkm.charon import host1
from tests.unit.tkm.messages import init_message
from tests.unit.tkm.snapshot import snapshot
from tests.unit.trusted import Host, State, config_of, host, identity, pki
from tkm.config.policy import Config
from tkm.core.handlers import ike_sa
from tkm.core.kinds import EspSa, IkeSa
from tkm.core.message import Half, check_init
from tkm.crypto.key_exchange import method_of
from tkm.crypto.signature import sign, signed_octets
from tkm.generation1 import rpc1
from tkm.identity import parse
from tkm.rpc import rpc2
from tkm.rpc.interface import Request
from tkm.rpc.result import Refused
from tkm.xfrm.model import StateKeys, StatePair

READS: Final = "reads"
"""It changes no context and no state."""
CHANGES: Final = "changes"
"""It changes contexts if it is granted, and nothing if it is refused."""
SPENDS: Final = "spends"
"""If the kernel refuses its keys, what they were derived from is used up; else as CHANGES."""
RESETS: Final = "resets"
"""It destroys, whatever the contexts' states are."""

RULES: Final[Mapping[str, str]] = {
    "tkm_version": READS, "tkm_limits": READS, "tkm_reset": RESETS,
    "nc_create": CHANGES, "nc_reset": RESETS,
    "ke_get": CHANGES, "ke_set": CHANGES, "ke_reset": RESETS,
    "dh_create": CHANGES, "dh_generate_key": CHANGES, "dh_reset": RESETS,
    "cc_check_ca": CHANGES, "cc_add_certificate": CHANGES, "cc_check_chain": CHANGES,
    "cc_set_user_certificate": CHANGES, "cc_reset": RESETS,
    "ae_reset": RESETS, "isa_reset": RESETS,
    "isa_create": CHANGES, "isa_create_child": CHANGES, "isa_update": CHANGES,
    "isa_int_auth": CHANGES, "isa_sign": CHANGES, "isa_auth": CHANGES,
    "isa_skip_create_first": CHANGES, "isa_encrypt": READS, "isa_decrypt": READS,
    "esa_create": SPENDS, "esa_create_no_pfs": SPENDS, "esa_create_first": SPENDS,
    "esa_select": SPENDS, "esa_reset": RESETS,
}  # fmt: skip

IDS: Final = (1, 1, 2, 2, 3)
_PEER = method_of(15).generate()


def two_policies() -> Config:
    """Policy 1 is with bob, policy 2 with carol, whose key nobody has."""
    config = config_of("alice")
    policy = config.policies[1]
    carol = replace(policy.remote, identity=identity("carol"))
    config.policies[2] = replace(policy, id=2, remote=carol)
    return config


@dataclass
class Judge:
    """Watches a kernel: every key that it was ever given, refused or not.

    :ivar keys: all of them.
    """

    keys: set[bytes] = field(default_factory=set)

    def watch(self, alice: Host) -> None:
        """Stand before the kernel's door."""

        def judging(add: Callable[[StatePair, StateKeys], None]) -> Any:
            def judged(pair: StatePair, keys: StateKeys) -> None:
                octets = [bytes(key.octets) for key in keys]
                assert list(map(len, octets)) == [32, 64], "a key has been wiped"
                assert len({*octets}) == 2, "two keys of one SA are the same"
                assert not self.keys & {*octets}, "the kernel is given a key that it has seen"
                self.keys |= {*octets}
                assert pair.policy.id == 1, "nobody was authenticated for another policy"
                add(pair, keys)

            return judged

        for name in ("add_inbound", "add_outbound"):
            setattr(alice.kernel, name, judging(getattr(alice.kernel, name)))


class Daemon:
    """Asks for anything.

    :param generation: of the protocol.
    """

    def __init__(self, generation: int, chance: random.Random) -> None:
        make = host1 if generation == 1 else host
        self.chance = chance
        self.alice = make("alice", two_policies())
        self.judge = Judge()
        self.judge.watch(self.alice)
        self.generation = generation
        self.client = self.alice.client.client if generation == 1 else self.alice.client
        self.interface = rpc1.RPC1 if generation == 1 else rpc2.RPC2
        self.nonces: list[bytes] = [bytes(32)]
        self.values: list[bytes] = [_PEER.public_value()]
        self.signed: set[bytes] = set()
        self.granted: dict[str, int] = {}
        self.refused: dict[str, int] = {}

    def step(self) -> None:
        """Ask for one thing, and check all promises."""
        kinds = list(self.interface)
        weights = [0.2 if RULES[kind.operation] == RESETS else 1 for kind in kinds]
        (kind,) = self.chance.choices(kinds, weights)
        self.ask(kind, self.values_of(kind))

    def ask(self, kind: type[Request[Any]], values: dict[str, Any]) -> Any:
        """Ask, keep what comes of it, and check all promises.

        :returns: the reply; ``None`` if it was refused.
        """
        self.alice.kernel.refuses = self.chance.random() < 0.1
        before = snapshot(self.alice)
        name, rule = kind.operation, RULES[kind.operation]
        try:
            reply = self.client.call(kind(**values))
        except Refused:
            spends = rule == SPENDS and self.alice.kernel.refuses
            assert spends or rule == RESETS or snapshot(self.alice) == before, name
            self.refused[name] = self.refused.get(name, 0) + 1
            reply = None
        else:
            if rule == READS:
                assert snapshot(self.alice) == before, name
            self.granted[name] = self.granted.get(name, 0) + 1
            self.keep(name, values, reply)
        self.check()
        return reply

    def keep(self, name: str, values: dict[str, Any], reply: Any) -> None:
        """What was given out may be handed in again."""
        if name == "nc_create":
            self.nonces.append(reply.nonce)
        if hasattr(reply, "public_value"):
            self.values.append(reply.public_value)
        if name == "isa_sign":
            ae = self.alice.manager.contexts.store(IkeSa)[values["isa"]].ae
            # What was signed reads as the IKE_SA_INIT message of this very IKE SA.
            check_init(values["init_message"], ae.loc, ae.rem, by_initiator=ae.initiator)
            assert values["init_message"] not in self.signed, "one message was signed twice"
            self.signed.add(values["init_message"])

    def check(self) -> None:
        """The promises, over the SAD and the SPD."""
        kernel, contexts = self.alice.kernel, self.alice.manager.contexts
        states: set[State] = kernel.states
        keys = [key for state in states for key in (state.encryption, state.integrity)]
        assert len(keys) == len(set(keys)), "two states share a key"
        esas = [esa for esa in contexts.store(EspSa).values() if esa.pair]
        pairs = {spi for esa in esas if esa.pair for spi in (esa.pair.spi_in, esa.pair.spi_out)}
        assert {state.spi for state in states} <= pairs, "a state has no context"
        assert [policy.id for policy in kernel.policies] == [1, 2], "a policy is gone"
        for esa in esas:
            assert esa.sp == 1, "its peer was not authenticated for that policy"

    # What it asks with

    def nonce(self) -> bytes:
        """One that it knows, part of one, several in one, or another one."""
        one, other = self.chance.choice(self.nonces[-6:]), self.chance.choice(self.nonces[-6:])
        made = self.chance.choice((one, one + other, other[1:] + one, one[:-1], os.urandom(32)))
        return made.ljust(32, b"\0")[:256]

    def public_value(self) -> bytes:
        known = self.chance.choice(self.values[-4:])
        return self.chance.choice((known, _PEER.public_value(), os.urandom(383).rjust(384, b"\0")))

    def spi(self, length: int) -> bytes:
        return self.chance.choice((b"\xc0" * length, os.urandom(length), bytes(length)))

    def message(self, number: int, peers: bool) -> bytes:
        """Mostly the right one, so that something comes of it."""
        isa = self.alice.manager.contexts.store(IkeSa)[number]
        if isa.keys is None or self.chance.random() < 0.3:
            return os.urandom(100)
        ends = (isa.ae.rem, isa.ae.loc) if peers else (isa.ae.loc, isa.ae.rem)
        half: Half = ends[0]
        if self.chance.random() < 0.2:
            half = half._replace(nonce=self.nonce())
        return init_message(half, ends[1].spi, by_initiator=isa.ae.initiator != peers)

    def signature(self, number: int, message: bytes) -> bytes:
        """bob's, who plays along."""
        isa = self.alice.manager.contexts.store(IkeSa)[number]
        if isa.keys is None or isa.ae.int_auth.messages_loc != isa.ae.int_auth.messages_rem:
            return os.urandom(256)
        int_auth = ike_sa._int_auth(isa.ae)
        nonce, sk_p = isa.ae.loc.nonce, isa.auth_keys[1]
        maced_id = isa.suite.prf(sk_p.octets, parse(identity("bob")).payload)
        octets = signed_octets(message, nonce, maced_id, int_auth)
        hashes = () if self.generation == 1 else (2,)
        return sign(pki().keys["bob"], octets, hashes, sha1=not hashes).data

    def certificate(self) -> bytes:
        root, own = pki().ca.root.certificate.der, pki().certificates
        return self.chance.choice((root, own["bob"], own["bob"], own["alice"], os.urandom(50)))

    def values_of(self, kind: type[Request[Any]]) -> dict[str, Any]:
        """Values for a request's fields."""
        chance, values = self.chance, dict[str, Any]()
        for name in kind.fields:
            values[name] = chance.choice(IDS)
        made: dict[str, Callable[[], Any]] = {
            "nonce_rem": self.nonce,
            "public_value": self.public_value,
            "certificate": self.certificate,
            "initiator": lambda: chance.random() < 0.5,
            "verify": lambda: chance.random() < 0.5,
            "esn": lambda: chance.random() < 0.5,
            "encap": lambda: (),
            "length": lambda: chance.choice((32, 33, 48)),
            "nonce_length": lambda: chance.choice((32, 33, 48)),
            "method": lambda: 14 if kind is rpc2.IsaAuth else 15,
            "dha": lambda: 1,
            "hash_algorithms": lambda: chance.choice(((), (2,))),
            "aad_length": lambda: 0,
            "message": lambda: os.urandom(32),
            "spi_loc": lambda: self.spi(4 if "esa" in values else 8),
            "spi_rem": lambda: self.spi(4 if "esa" in values else 8),
            "ia": lambda: 1,
            "ea": lambda: 1,
            "lc": lambda: 1,
            "ca": lambda: 1,
            "ri": lambda: chance.choice((1, 1, 1, 2)),
            "sp": lambda: chance.choice((1, 1, 1, 2)),
            "identity": lambda: chance.choice((b"", parse(identity("bob")).payload, b"\2\0\0\0x")),
        }
        for name in values.keys() & made.keys():
            values[name] = made[name]()
        if "ke" in values and kind in (rpc2.EsaCreate, rpc2.IsaCreateChild):
            values["ke"] = (values["ke"],)
        if "init_message" in values:
            values["init_message"] = self.message(values["isa"], "cc" in values)
        if "signature" in values:
            values["signature"] = self.signature(values["isa"], values["init_message"])
        return values

    def children(self, number: int) -> None:
        """Nonces in two contexts, then Child SAs of them, crosswise or not."""
        names = {kind.operation: kind for kind in self.interface}
        for name in ("isa_skip_create_first", "esa_create_first"):
            kind = names[name]
            self.ask(kind, {**self.values_of(kind), "isa": number})
        for nc in (1, 2):
            self.ask(names["nc_reset"], {"nc": nc})
            self.ask(names["esa_reset"], {"esa": nc})
            self.ask(names["nc_create"], {**self.values_of(names["nc_create"]), "nc": nc})
        crosswise = self.nonces[-2:][::-1]
        for nc, peers in zip((1, 2), crosswise, strict=True):
            kind = names["esa_create_no_pfs"]
            spis = {"spi_loc": os.urandom(4), "spi_rem": os.urandom(4), "sp": 1, "esa": nc}
            values = {**self.values_of(kind), "isa": number, "nc_loc": nc, **spis}
            if self.chance.random() < 0.5:
                values |= {"nonce_rem": peers, "initiator": nc == 1}
            self.ask(kind, values)

    def handshake(self, number: int) -> None:
        """What leads to an authenticated peer, so that the rest has something to attack."""
        by_name = self.interface.operations.values()
        names = {kind.operation: kind for kind in by_name}
        first = self.generation == 1
        ke = "dh" if first else "ke"
        chain: list[tuple[str, dict[str, Any]]] = (
            [("cc_set_user_certificate", {"ri": 1, "autha": 1, "certificate": "bob"}),
             ("cc_add_certificate", {"autha": 1, "certificate": "ca"}), ("cc_check_ca", {"ca": 1})]
            if first else
            [("cc_check_ca", {"ca": 1, "certificate": "ca"}),
             ("cc_add_certificate", {"certificate": "bob"}), ("cc_check_chain", {"ri": 1})]
        )  # fmt: skip
        certificates = {"ca": pki().ca.root.certificate.der, "bob": pki().certificates["bob"]}
        steps: list[tuple[str, dict[str, Any]]] = [
            *((f"{kind}_reset", {kind: number}) for kind in ("nc", ke, "cc", "isa", "ae")),
            ("nc_create", {"nc": number, "length": 32}),
            ("dh_create" if first else "ke_get", {ke: number, "dha": 1, "method": 15}),
            ("dh_generate_key" if first else "ke_set",
             {ke: number, "method": 15, "public_value": _PEER.public_value()}),
            ("isa_create", {"isa": number, "ae": number, "ia": 1, ke: number, "nc_loc": number,
                            "nonce_rem": os.urandom(32), "initiator": True,
                            "spi_loc": os.urandom(8), "spi_rem": os.urandom(8)}),
            *((name, {"cc": number, **values}) for name, values in chain),
            ("isa_sign", {"isa": number, "lc": 1, "hash_algorithms": (2,)}),
            ("isa_auth", {"isa": number, "cc": number, "method": 14}),
        ]  # fmt: skip
        for name, given in steps:
            kind = names[name]
            values = {each: value for each, value in given.items() if each in kind.fields}
            if "certificate" in values:
                values["certificate"] = certificates[values["certificate"]]
            if "init_message" in kind.fields:
                isa = self.alice.manager.contexts.store(IkeSa)[number]
                if isa.keys is None:
                    return
                ends = (isa.ae.rem, isa.ae.loc) if "cc" in kind.fields else (isa.ae.loc, isa.ae.rem)
                values["init_message"] = init_message(
                    ends[0], ends[1].spi, by_initiator="cc" not in kind.fields
                )
            if "signature" in kind.fields:
                values["signature"] = self.signature(number, values["init_message"])
            if "init_message" in values and self.chance.random() < 0.3:
                other = self.chance.choice((os.urandom(300), values["init_message"][:-1]))
                self.ask(kind, {**values, "init_message": other})
            if self.ask(kind, values) is None:
                return
