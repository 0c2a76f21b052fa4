# SPDX-License-Identifier: GPL-2.0-or-later
"""One IKE SA: its state, its keys, its successor, its end.

What happens to its packets is in :mod:`ike.engine.receive` and :mod:`ike.engine.send`; its
exchanges see of it what the protocols of :mod:`ike.engine.exchange` list.
"""

import logging
from collections.abc import Sequence
from typing import Optional, cast

from ike import address
from ike.address import Path
from ike.config.model import Connection
from ike.config.proposals import Suite, number
from ike.engine import fragmentation
from ike.engine.channel import Channel
from ike.engine.child_sa import Agreement, ChildSa
from ike.engine.collision import Collision
from ike.engine.context import EngineContext
from ike.engine.events import IkeSaClosed, IkeSaEstablished, IkeSaRekeyed
from ike.engine.exchange import Exchange, IkeSaContext, SetupContext
from ike.engine.exchange_queue import ExchangeQueue
from ike.engine.key_exchange_state import PendingKeyExchanges
from ike.engine.lifetime import PATIENCE, Lifetime
from ike.engine.peer import Peer
from ike.engine.registry import Registry
from ike.engine.route import Route
from ike.engine.states import IKE_SA, State, Trigger, advance
from ike.errors import LocalError
from ike.message.errors import TrustedRefusal
from ike.tkm_client import ChildKeys, IkeKeys, KeyExchange, KeyInputs

log = logging.getLogger("ike")

_AUTHENTICATED = (State.ESTABLISHED, State.REKEYED, State.DELETING)
"""The peer's authentication takes a context of the TKM."""
_ENDING = (Trigger.REPLACED, Trigger.DELETE, Trigger.CLOSE)
"""After these it is not renewed any more."""


class IkeSa:
    """An IKE SA.

    Args:
        context: What all IKE SAs of the engine share.
        registry: All IKE SAs of the engine; it adds itself.
        path: Our address and port, and the peer's.
        peer: The peer; shared with the IKE SAs that it succeeds and that succeed it.
        initiator: We are the original initiator (RFC 7296, 3.1).
        spi: Our SPI; a new one by default.
        line: The IKE SAs that share ``peer``.
        replacing: The IKE SA that it reauthenticates.

    Attributes:
        id: Its number in this process.
        channel: Its messages and its keys.
        queue: The exchanges that we initiate.
        suite: The transforms that were agreed on, one of each type; empty until then.
        additional: Methods of the key exchanges that are to be done before IKE_AUTH.
        hash_algorithms: The hash algorithms that the peer has announced (RFC 7427).
        deadline: When it is closed, deleted or removed, whatever its state asks for.
        lifetime: When it is renewed.
        successor: The IKE SA that has taken its place.
        pending: What the peer has started in CREATE_CHILD_SA and continues in IKE_FOLLOWUP_KE.
        close_reason: Set while a request is answered: why it is closed after the response.
    """

    def __init__(
        self,
        context: EngineContext,
        registry: "Registry[IkeSa]",
        path: Path,
        peer: Peer,
        *,
        initiator: bool,
        spi: bytes = b"",
        line: "set[IkeSa] | None" = None,
        replacing: Optional["IkeSa"] = None,
    ) -> None:
        self.context = context
        self.id = context.number("IKE SA")
        self._registry = registry
        spi = spi or self.new_spi()
        self.channel = Channel(context, path, spi, initiator=initiator)
        self.peer = peer
        self.line = set() if line is None else line
        self.state = State.NEW
        self.created_at = self.established_at = self.last_heard = context.now
        self.suite: Suite = ()
        self.additional: tuple[int, ...] = ()
        self.hash_algorithms: tuple[int, ...] = ()
        self.queue = ExchangeQueue()
        self.deadline: float | None = None
        self.lifetime = Lifetime()
        self.successor: IkeSa | None = None
        self.pending: PendingKeyExchanges | None = None
        self.close_reason: str | None = None
        self._replacing = replacing
        self._pending_key_exchange: KeyExchange | None = None
        self._collision: Collision[IkeSa] | None = None
        self._deleted_early: set[bytes] = set()
        self.line.add(self)
        registry.add(spi, self)

    # What it is

    @property
    def connection(self) -> Connection:
        """Its connection.

        Raises:
            LocalError: The peer has not identified itself yet.
        """
        if self.peer.connection is None:
            raise LocalError(f"IKE SA {self.id}: the peer's identity is not known yet")
        return self.peer.connection

    def candidates(self) -> list[Connection]:
        """Return its connection; until that is known, those between its two addresses."""
        if self.peer.connection:
            return [self.peer.connection]
        local, remote = self.channel.local.host, self.channel.remote.host
        return [
            connection
            for connection in self.context.configuration.connections
            if connection.is_between(local, remote)
        ]

    @property
    def keys(self) -> IkeKeys:
        """Its keys.

        Raises:
            LocalError: It has no keys before IKE_SA_INIT and after its end.
        """
        if self.channel.keys is None:
            raise LocalError(f"IKE SA {self.id} has no keys")
        return self.channel.keys

    @property
    def name(self) -> str:
        """Its name in log lines, such as ``conn1[3]``."""
        connection = self.peer.connection
        return f"{connection.name if connection else '(unnamed)'}[{self.id}]"

    @property
    def route(self) -> Route:
        """Where its messages go."""
        return self.channel.route

    @property
    def is_initiator(self) -> bool:
        """We are its original initiator."""
        return self.channel.initiator

    @property
    def spi_local(self) -> bytes:
        """Our SPI."""
        return self.channel.spi_local

    @property
    def spis(self) -> tuple[bytes, bytes]:
        """The SPIs of the original initiator and of its responder."""
        return self.channel.spis

    @property
    def init_messages(self) -> tuple[bytes, bytes]:
        """Our IKE_SA_INIT message and the peer's, until both sides are authenticated."""
        return self.channel.init_local, self.channel.init_remote

    @property
    def is_unauthenticated(self) -> bool:
        """A peer has initiated it that is not authenticated, or that failed to be."""
        return bool(self.channel.init_remote)

    @property
    def outstanding(self) -> Exchange[IkeSaContext] | None:
        """The exchange of ours that is out."""
        return self.queue.current.exchange if self.queue.current else None

    def advance(self, trigger: Trigger) -> None:
        """Change the state as the table of states has it."""
        self.touch()
        self.state = advance(IKE_SA, self.state, trigger)
        if trigger in _ENDING:
            self.lifetime.end()

    def touch(self) -> None:
        """Note that it is changing."""
        self._registry.touch(self)

    def heard(self) -> None:
        """Note that a new and authentic message of the peer has arrived."""
        self.last_heard = self.context.now

    # Exchanges

    def enqueue(self, exchange: Exchange[IkeSaContext]) -> None:
        """Do an exchange after those that wait already; the engine starts it."""
        self.touch()
        self.queue.put(exchange)

    def enqueue_first(self, exchange: Exchange[IkeSaContext]) -> None:
        """Do an exchange before those that wait."""
        self.touch()
        self.queue.put_first(exchange)

    def drop_waiting(self, reason: str) -> None:
        """Drop the exchanges that wait."""
        for exchange in self.queue.take_waiting():
            exchange.drop(self, reason)

    def exchange_finished(self) -> None:
        """Note that the exchange that was out has ended: the next one may start."""
        self.touch()
        self.queue.finished()
        self._deleted_early.clear()

    def leave_work_to(self, other: SetupContext) -> None:
        """Let another IKE SA with the same peer create what was to be created here."""
        for exchange in self.queue.take_waiting():
            another = exchange.again() if exchange.creates else None
            if another:
                other.enqueue(another)
            else:
                exchange.drop(self, f"{other.name} has its place")

    # Setting up

    def set_remote_spi(self, spi: bytes) -> None:
        """Note the SPI that the peer has chosen."""
        self.channel.set_remote_spi(spi)

    def keyed(self, keys: IkeKeys, suite: Suite, additional: Sequence[int]) -> None:
        """Use keys, and note what was negotiated.

        Args:
            keys: Its keys.
            suite: The transforms that were agreed on.
            additional: Methods of the key exchanges that follow before IKE_AUTH (RFC 9370).
        """
        self.channel.use_keys(keys)
        self.suite = suite
        self.additional = tuple(additional)

    def note_hash_algorithms(self, numbers: Sequence[int]) -> None:
        """Note the hash algorithms that the peer announces (RFC 7427)."""
        self.hash_algorithms = tuple(numbers)

    def allow_fragments(self) -> None:
        """Both sides support fragments: split messages that are too long (RFC 7383)."""
        limit = fragmentation.limit(self.channel.remote.host, self.context.settings)
        self.channel.allow_fragments(limit)

    def await_authentication(self) -> None:
        """IKE_SA_INIT is answered: give the peer some time to authenticate."""
        self.advance(Trigger.ANSWER)
        self.deadline = self.context.now + self.context.settings.half_open

    def key_exchange_done(self) -> None:
        """Note that the next of the additional key exchanges is done."""
        self.additional = self.additional[1:]

    def mix_after_response(self, exchange: KeyExchange) -> None:
        """Mix a key exchange into the keys after the response, which the old keys protect."""
        self._pending_key_exchange = exchange

    def response_sent(self) -> None:
        """Mix the pending key exchange into the keys."""
        exchange, self._pending_key_exchange = self._pending_key_exchange, None
        if exchange is None:
            return
        try:
            self.keys.update(exchange)
        except TrustedRefusal as error:
            exchange.free()
            self.close_after_response(str(error))

    def response_refused(self, error: TrustedRefusal) -> None:
        """Note that the TKM protects no response: the IKE SA is of no use any more."""
        self.close_after_response(f"there is no response: {error}")
        if self._pending_key_exchange:
            self._pending_key_exchange.free()
            self._pending_key_exchange = None

    def establish(self) -> None:
        """Both sides are authenticated."""
        self.established_at = self.context.now
        self.deadline = None
        self.channel.forget_init()
        self.lifetime.begin(self.context, self.connection, None)
        if self._replacing:
            self.lifetime.inherit_patience(self._replacing.newest.lifetime)
        local, remote = self.channel.local, self.channel.remote
        log.info(
            "IKE_SA %s established between %s[%s]...%s[%s]",
            self.name,
            local.host,
            self.connection.local_id,
            remote.host,
            self.connection.remote_id,
        )
        self.context.emit(
            IkeSaEstablished(
                self.id,
                self.connection.name,
                self.is_initiator,
                local,
                remote,
                self.connection.remote_id,
            )
        )

    def others(self) -> "list[IkeSa]":
        """Return the other IKE SAs between the same two identities, in the same address family.

        Policies keep to one family, so those of the other one are never in its place; and a peer
        with both sends INITIAL_CONTACT once in each of them (strongSwan does).
        """
        identities, family = self.connection.identities, address.family(self.route.path.remote.host)
        return [
            other
            for other in self._registry.values()
            if other.state is State.ESTABLISHED
            and other.peer is not self.peer
            and other.peer.connection
            and other.peer.connection.identities == identities
            and address.family(other.route.path.remote.host) == family
        ]

    def other_authentications(self) -> "list[IkeSa]":
        """Return one IKE SA for each other time that this peer was authenticated for its policy.

        The oldest comes first. Those that are being deleted count until they are gone.
        """
        identities, remote_id = self.connection.identities, self.peer.remote_id
        found = {
            other.peer: other.newest
            for other in self._registry.values()
            if other.state in _AUTHENTICATED
            and other.peer is not self.peer
            and other.peer.remote_id == remote_id
            and other.peer.connection
            and other.peer.connection.identities == identities
        }
        return sorted(found.values(), key=lambda other: other.established_at)

    def close_line(self, reason: str) -> None:
        """Close it and the IKE SAs that share its peer."""
        for sa in list(self.line):
            sa.close(reason, wanted=True)

    # Child SAs

    def install_child(
        self, agreement: Agreement, keys: ChildKeys, rekeyed: ChildSa | None = None
    ) -> ChildSa:
        """Add a Child SA that the TKM has installed.

        Args:
            agreement: What both sides have agreed on.
            keys: Its keys.
            rekeyed: The Child SA whose place it takes.
        """
        child = ChildSa(self.context.number("Child SA"), agreement, keys, self.context.now)
        self.peer.add(self.id, child, rekeyed)
        return child

    def remove_child(self, child: ChildSa, reason: str) -> None:
        """Remove a Child SA; removing it again is not an error."""
        self.peer.remove(self.id, child, reason)

    def note_early_delete(self, spi: bytes) -> None:
        """Note an SPI that the peer deletes, and that we do not know.

        It may be that of the Child SA that we are creating, if the response is still on its way.
        """
        self._deleted_early.add(spi)

    def was_deleted_early(self, spi: bytes) -> bool:
        """Return whether the peer has deleted a Child SA before its response to us arrived."""
        return spi in self._deleted_early

    def expect(self, pending: PendingKeyExchanges | None) -> None:
        """Wait for the peer's next IKE_FOLLOWUP_KE request, and for no other one any more."""
        self.touch()
        if self.pending:
            self.pending.free()
        self.pending = pending

    def take_pending(self, link: bytes) -> PendingKeyExchanges | None:
        """Return what the peer continues with the link that we gave it; it may do so once."""
        pending = self.pending
        if pending is None or pending.link != link:
            return None
        self.pending = None
        return pending

    # Its successor

    def new_spi(self) -> bytes:
        """Return an SPI of 8 octets that is not in use."""
        return self._registry.new_spi(self.context.random)

    def create_successor(self, inputs: KeyInputs, suite: Suite) -> "IkeSa":
        """Create an IKE SA that may take the place of this one (RFC 7296, 2.18).

        Args:
            inputs: What its keys are derived from.
            suite: The transforms that were agreed on.

        Raises:
            TrustedRefusal: The TKM does not derive its keys.
        """
        keys = self.keys.successor(inputs, number(suite))
        successor = IkeSa(
            self.context,
            self._registry,
            self.route.path,
            self.peer,
            initiator=inputs.initiator,
            spi=inputs.spi_local,
            line=self.line,
        )
        successor.succeed(self, keys, inputs.spi_remote, suite)
        return successor

    def succeed(self, old: "IkeSa", keys: IkeKeys, spi_remote: bytes, suite: Suite) -> None:
        """Start out as the successor of an IKE SA: established, on the same route."""
        self.channel.inherit(old.channel)
        self.channel.set_remote_spi(spi_remote)
        self.keyed(keys, suite, ())
        self.advance(Trigger.SUCCEED)
        self.established_at = old.established_at
        self.lifetime.begin(self.context, self.connection, old.lifetime)

    def replaced_by(self, successor: IkeSaContext) -> None:
        """Let another IKE SA take the place of this one, and do what waits here."""
        if self.state is not State.ESTABLISHED:
            return
        self.advance(Trigger.REPLACED)
        self.successor = cast("IkeSa", successor)
        self._linger()
        log.info("IKE_SA %s rekeyed, new one is %s", self.name, successor.name)
        self.context.emit(IkeSaRekeyed(self.id, successor.id))
        for exchange in self.queue.take_waiting():
            successor.enqueue(exchange)

    def note_collision(self, successor: IkeSaContext, lowest_nonce: bytes) -> None:
        """Note that the peer has rekeyed it while our own request to do so is out."""
        self._collision = Collision(cast("IkeSa", successor), lowest_nonce)

    @property
    def is_colliding(self) -> bool:
        """The peer has rekeyed it while our own request to do so is out."""
        return self._collision is not None

    def take_collision(self) -> Collision[IkeSaContext] | None:
        """Return what the peer's rekeying has created, and forget it.

        Returns:
            The newest successor, since the peer may have rekeyed the first one in turn; ``None`` if
            there is no collision, or the peer has deleted its IKE SA again.
        """
        collision, self._collision = self._collision, None
        if collision is None:
            return None
        newest = collision.successor.newest
        if newest.state is not State.ESTABLISHED:
            return None
        return Collision(newest, collision.lowest_nonce)

    @property
    def newest(self) -> "IkeSa":
        """The last one of its successors, or itself."""
        newest = self
        while newest.successor:
            newest = newest.successor
        return newest

    def is_redundant(self) -> None:
        """The peer is going to delete it; if it does not, we do."""
        self.touch()
        self._linger()

    def _linger(self) -> None:
        self.deadline = self.context.now + self.context.settings.linger

    # Reauthentication

    @property
    def is_reauthentication(self) -> bool:
        """It is to take the place of another IKE SA."""
        return self._replacing is not None

    def reauthenticates(self, old: "IkeSa") -> bool:
        """Return whether it is to take the place of ``old``."""
        return self._replacing is not None and self._replacing.newest is old

    def reauthentication_done(self) -> None:
        """It has taken the place of the IKE SA that it reauthenticates."""
        self._replacing = None

    def reauthentication_failed(self, reason: str) -> None:
        """No other IKE SA takes its place; with a ``reauth_time`` that is tried again."""
        log.info("reauthenticating IKE_SA %s failed: %s", self.name, reason)
        if self.state is State.ESTABLISHED and self.connection.reauth_time:
            self.touch()
            self.lifetime.reauthenticate_again(self.context.now + PATIENCE)

    # Its end

    def clear_deadline(self) -> None:
        """Note that what the deadline was for is being done."""
        self.deadline = None

    def close_after_response(self, reason: str) -> None:
        """Close it once the response to the current request is sent."""
        self.close_reason = reason

    def close(self, reason: str, *, wanted: bool) -> None:
        """Close it now, and give back everything that it has taken.

        Args:
            reason: Why, for the log and for events.
            wanted: One side has deleted it; otherwise something has failed.
        """
        if self.state is State.GONE:
            return
        self.advance(Trigger.CLOSE)
        self._hand_over(reason)
        self.expect(None)
        self._linger()
        self.line.discard(self)
        if not self.line:
            self.peer.close(self.id, reason)
        self.channel.free()
        log.info("IKE_SA %s closed: %s", self.name, reason)
        replacing, self._replacing = self._replacing, None
        if replacing:
            replacing.newest.reauthentication_failed(reason)
        connection = self.peer.connection
        name = connection.name if connection else ""
        self.context.emit(IkeSaClosed(self.id, name, reason, wanted))

    def survivor(self) -> "IkeSa | None":
        """Return the IKE SA of the same line that continues where this one has to stop."""
        others = [sa for sa in self.line if sa is not self and sa.state is State.ESTABLISHED]
        return max(others, key=lambda sa: sa.id, default=None)

    def _hand_over(self, reason: str) -> None:
        """Let the survivor do what was to be done here."""
        survivor = self.survivor()
        for exchange in self.queue.take_all():
            another = exchange.again() if survivor else None
            if survivor and another:
                survivor.enqueue(another)
            else:
                exchange.drop(self, reason)
