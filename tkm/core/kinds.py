# SPDX-License-Identifier: GPL-2.0-or-later
"""What each kind of context holds while it is in use, and destroys when it is clean again."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tkm.core.machine import Context
from tkm.core.message import Half
from tkm.core.states import AE, CC, ESA, ISA, KE, NC
from tkm.crypto.derivation import IkeKeys, Roles
from tkm.crypto.protection import PacketKeys
from tkm.crypto.secret import Secret
from tkm.crypto.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography.x509 import Certificate

    from tkm.core.own import OwnValues
    from tkm.crypto.key_exchange import PrivateValue
    from tkm.xfrm.model import StateKeys, StatePair


class Given(NamedTuple):
    """A value of ours that is not accepted as the peer's; wiped with its context, it is retired."""

    octets: bytes
    retire: Callable[[bytes], None]

    def wipe(self) -> None:
        """It is not in use any more."""
        self.retire(self.octets)


class Nonce(Context):
    """nc. A nonce is public once it is sent; its secret is that nobody chose it."""

    table = NC
    octets: bytes = b""
    given: Given | None = None

    def give(self, octets: bytes, own: "OwnValues") -> None:
        """These octets are it; ``own`` keeps them from being accepted as the peer's."""
        own.give_nonce(octets)
        self.octets, self.given = octets, Given(octets, own.retire_nonce)

    def wipe(self) -> None:
        if self.given:
            self.given.wipe()
        self.given = None


class KeyExchange(Context):
    """ke."""

    table = KE
    method: int = 0
    private: "PrivateValue | None" = None
    shared: Secret | None = None
    public_loc: bytes = b""
    public_rem: bytes = b""
    given: Given | None = None

    def give(self, public_value: bytes, own: "OwnValues") -> None:
        """Our public value goes out; ``own`` keeps it from being accepted as the peer's."""
        own.give(public_value)
        self.public_loc, self.given = public_value, Given(public_value, own.retire)

    def wipe(self) -> None:
        if self.given:
            self.given.wipe()
        self.given = None
        if self.shared:
            self.shared.wipe()
        self.private = self.shared = None


class Chain(Context):
    """cc. The certificates in the order in which they came; checked: for remote identity ``ri``."""

    table = CC

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.certificates: list[Certificate] = []
        self.ca = 0
        self.ri = 0

    @property
    def peer(self) -> "Certificate":
        """The peer's certificate: the last one."""
        return self.certificates[-1]


class IntAuth(NamedTuple):
    """IntAuth of both sides (RFC 9242, 3.3.2), and how many messages each of them covers."""

    loc: bytes = b""
    rem: bytes = b""
    messages_loc: int = 0
    messages_rem: int = 0


class Endpoint(Context):
    """ae. What AUTH covers, and whom it has proven (``ri``, 0 before).

    :ivar loc: what went into IKE_SA_INIT on our side, ``rem`` on the peer's.
    :ivar chain: the certificates that have proven it, from the CA on.
    """

    table = AE
    initiator: bool = False
    loc: Half
    rem: Half
    int_auth: IntAuth = IntAuth()
    lc: int = 0
    ri: int = 0
    chain: "Sequence[Certificate]" = ()


class IkeSa(Context):
    """isa. Nobody asks for what follows before it has keys.

    :ivar algorithms: the number of its suite, which is judged when the peer is authenticated.
    :ivar methods: of its key exchanges, in their order; likewise.
    :ivar packets: numbers what it protects: none comes twice, whatever becomes of the request.
    """

    table = ISA
    ae: Endpoint
    initiator: bool = False
    roles: Roles
    algorithms: int = 0
    methods: tuple[int, ...] = ()
    suite: Suite
    keys: IkeKeys | None = None
    packets: "Iterator[int]"

    @property
    def secret_keys(self) -> IkeKeys:
        """The keys of an active IKE SA."""
        if self.keys is None:
            raise RuntimeError(f"{self} is {self.state} and has no keys")
        return self.keys

    @property
    def outbound(self) -> PacketKeys:
        """SK_e and SK_a of what we send."""
        keys = self.secret_keys
        return PacketKeys(*((keys.ei, keys.ai) if self.initiator else (keys.er, keys.ar)))

    @property
    def inbound(self) -> PacketKeys:
        """SK_e and SK_a of what the peer sends."""
        keys = self.secret_keys
        return PacketKeys(*((keys.er, keys.ar) if self.initiator else (keys.ei, keys.ai)))

    @property
    def auth_keys(self) -> tuple[Secret, Secret]:
        """SK_p of what we sign, and of what the peer signs."""
        keys = self.secret_keys
        return (keys.pi, keys.pr) if self.initiator else (keys.pr, keys.pi)

    def wipe(self) -> None:
        if self.keys:
            self.keys.wipe()
        self.keys = None


class EspSa(Context):
    """esa. What names its states in the kernel, and the keys that the kernel does not have yet.

    :ivar outbound: keys of the state that sends, until it is selected.
    :ivar sends: the kernel has that state.
    """

    table = ESA
    sp: int = 0
    pair: "StatePair | None" = None
    outbound: "StateKeys | None" = None
    sends: bool = False

    def wipe(self) -> None:
        if self.outbound:
            self.outbound.wipe()
        self.outbound = None
