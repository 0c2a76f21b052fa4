# SPDX-License-Identifier: GPL-2.0-or-later
"""An exchange that we initiate, and what it may do to its IKE SA.

An exchange is a generator, :meth:`Exchange.run`: it yields a request and is resumed with the
response. So what exists once a request is out (an offer, a nonce, a key exchange) is a local
variable of a suspended generator, and cannot be used before; a ``with`` statement gives it back
however the exchange ends. :mod:`ike.engine.send` runs exchanges.

What an exchange may read and do is written down in three protocols, which
:class:`~ike.engine.ike_sa.IkeSa` implements: most exchanges need :class:`ExchangeContext` only.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Sequence
from enum import Enum
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

from ike.config.model import ChildConfig, Connection
from ike.config.proposals import Suite
from ike.engine.child_sa import Agreement, ChildSa
from ike.engine.collision import Collision
from ike.engine.context import EngineContext
from ike.engine.events import ChildSaFailed
from ike.engine.key_exchange_state import PendingKeyExchanges
from ike.engine.lifetime import Lifetime
from ike.engine.peer import Peer
from ike.engine.route import Route
from ike.engine.states import State, Trigger
from ike.message.errors import PeerError
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payloads import Payload
from ike.tkm_client import ChildKeys, IkeKeys, KeyExchange, KeyInputs

log = logging.getLogger("ike")


class Scope(Enum):
    """What an exchange changes. Some changes exclude each other (RFC 7296, 2.25)."""

    NOTHING = "nothing"
    CHILD_SA = "a Child SA"
    IKE_SA = "the IKE SA"


class Request(NamedTuple):
    """A request to send; the exchange is resumed with the response.

    Attributes:
        kind: The exchange type.
        payloads: The payloads of the request.
        replaces: The request takes the place of the previous one and has its message ID.
    """

    kind: ExchangeType
    payloads: Sequence[Payload]
    replaces: bool = False


class StillWaiting(NamedTuple):
    """The response was an unprotected error: wait for another response (RFC 7296, 2.21.1).

    Attributes:
        error: The error, which closes the IKE SA if no other response arrives.
    """

    error: PeerError


Steps = Generator[Request | StillWaiting, Message, None]


class ExchangeContext(Protocol):
    """What every exchange may read of its IKE SA, and do to it."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def context(self) -> EngineContext: ...
    @property
    def connection(self) -> Connection: ...
    @property
    def keys(self) -> IkeKeys: ...
    @property
    def peer(self) -> Peer: ...
    @property
    def line(self) -> Collection[object]:
        """The IKE SAs that have come of one authentication, itself included."""

    @property
    def route(self) -> Route: ...
    @property
    def lifetime(self) -> Lifetime: ...
    @property
    def outstanding(self) -> "Exchange[IkeSaContext] | None":
        """The exchange whose request is out."""

    def advance(self, trigger: Trigger) -> None:
        """Change the state as the table of states has it."""

    def enqueue(self, exchange: "Exchange[IkeSaContext]") -> None:
        """Do an exchange after those that wait already."""

    def drop_waiting(self, reason: str) -> None:
        """Drop the exchanges that wait."""

    def close(self, reason: str, *, wanted: bool) -> None:
        """Close the IKE SA now."""

    def close_after_response(self, reason: str) -> None:
        """Close the IKE SA once the response to the current request is sent."""

    def install_child(
        self, agreement: Agreement, keys: ChildKeys, rekeyed: ChildSa | None = None
    ) -> ChildSa:
        """Add a Child SA that the TKM has installed."""

    def remove_child(self, child: ChildSa, reason: str) -> None:
        """Remove a Child SA, and have the TKM remove it from the kernel."""

    def note_early_delete(self, spi: bytes) -> None:
        """The peer deletes a Child SA that may be the one whose creation is not answered yet."""

    def was_deleted_early(self, spi: bytes) -> bool:
        """Whether the peer has deleted a Child SA before its response to us arrived."""

    def expect(self, pending: PendingKeyExchanges | None) -> None:
        """Wait for the peer's next IKE_FOLLOWUP_KE request."""

    def take_pending(self, link: bytes) -> PendingKeyExchanges | None:
        """Return what the peer continues with its IKE_FOLLOWUP_KE request."""


class SetupContext(ExchangeContext, Protocol):
    """What the exchanges that set up an IKE SA need beyond that."""

    @property
    def is_initiator(self) -> bool: ...
    @property
    def spi_local(self) -> bytes: ...
    @property
    def spis(self) -> tuple[bytes, bytes]: ...
    @property
    def init_messages(self) -> tuple[bytes, bytes]:
        """Our IKE_SA_INIT message and the peer's: AUTH covers them."""

    @property
    def hash_algorithms(self) -> Sequence[int]: ...
    @property
    def additional(self) -> Sequence[int]:
        """Methods of the key exchanges that are to be done before IKE_AUTH."""

    @property
    def created_at(self) -> float: ...
    @property
    def established_at(self) -> float: ...
    @property
    def is_reauthentication(self) -> bool: ...

    def candidates(self) -> Sequence[Connection]:
        """The connections that it may belong to."""

    def set_remote_spi(self, spi: bytes) -> None:
        """Note the SPI that the peer has chosen."""

    def keyed(self, keys: IkeKeys, suite: Suite, additional: Sequence[int]) -> None:
        """Use keys, and note what was negotiated."""

    def note_hash_algorithms(self, numbers: Sequence[int]) -> None:
        """Note the hash algorithms that the peer announces (RFC 7427)."""

    def allow_fragments(self) -> None:
        """Both sides support fragments (RFC 7383)."""

    def await_authentication(self) -> None:
        """IKE_SA_INIT is answered: give the peer some time to authenticate."""

    def key_exchange_done(self) -> None:
        """The next of the additional key exchanges is done."""

    def mix_after_response(self, exchange: KeyExchange) -> None:
        """Mix a key exchange into the keys once the response is sent."""

    def establish(self) -> None:
        """Both sides are authenticated."""

    def others(self) -> Sequence["SetupContext"]:
        """The other IKE SAs between the same two identities, in the same address family."""

    def other_authentications(self) -> Sequence["SetupContext"]:
        """One IKE SA for each other time that this peer was authenticated, the oldest first."""

    def close_line(self, reason: str) -> None:
        """Close it and the IKE SAs that it has succeeded or that have succeeded it."""

    def leave_work_to(self, other: "SetupContext") -> None:
        """Let another IKE SA do what waits here."""

    def reauthentication_done(self) -> None:
        """It has taken the place of the IKE SA that it reauthenticates."""


class IkeSaContext(SetupContext, Protocol):
    """What rekeying the IKE SA itself needs beyond that; the whole interface of an IKE SA."""

    @property
    def is_colliding(self) -> bool:
        """Whether the peer has rekeyed it, too, while our own request is out."""

    def new_spi(self) -> bytes:
        """Return an SPI of 8 octets that is not in use."""

    def enqueue_first(self, exchange: "Exchange[IkeSaContext]") -> None:
        """Do an exchange before those that wait."""

    def create_successor(self, inputs: KeyInputs, suite: Suite) -> "IkeSaContext":
        """Create an IKE SA that may take the place of this one."""

    def replaced_by(self, successor: "IkeSaContext") -> None:
        """Let another IKE SA take the place of this one."""

    def note_collision(self, successor: "IkeSaContext", lowest_nonce: bytes) -> None:
        """The peer has rekeyed it while our own request is out."""

    def take_collision(self) -> "Collision[IkeSaContext] | None":
        """Return what the peer's rekeying has created, if it exists still, and forget it."""

    def is_redundant(self) -> None:
        """The peer is going to delete it; if it does not, we do."""


C_contra = TypeVar("C_contra", contravariant=True)


class Exchange(ABC, Generic[C_contra]):
    """One exchange that we initiate.

    Attributes:
        scope: What it changes.
        not_before: When it may start.
        creates: The Child SA that it would create; ``None``: it creates none.
    """

    scope: ClassVar[Scope] = Scope.NOTHING
    not_before: float = 0.0
    creates: ChildConfig | None = None

    def is_wanted(self, sa: C_contra) -> bool:
        """Return whether it still makes sense to start."""
        return True

    @abstractmethod
    def run(self, sa: C_contra) -> Steps:
        """Yield requests, and be resumed with the responses.

        Raises:
            PeerError: The TKM refuses its part, or the response is an error or is not acceptable.
                Everything that was taken is given back; :meth:`failed` is called then.
        """

    def failed(self, sa: C_contra, error: PeerError) -> None:
        """Handle that it has failed."""
        log.info("%s failed: %s", type(self).__name__, error)

    def drop(self, sa: ExchangeContext, reason: str) -> None:
        """Report that it is not done, here or elsewhere."""
        if self.creates:
            sa.context.emit(ChildSaFailed(sa.id, self.creates, reason))

    def again(self) -> "Exchange[C_contra] | None":
        """Return an exchange that does the same on the successor of an IKE SA that was closed."""
        return None
