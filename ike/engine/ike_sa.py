# SPDX-License-Identifier: GPL-2.0-or-later
"""One IKE SA: its life, and its answers.

Our own requests are exchanges on its :class:`~ike.engine.exchange_queue.ExchangeQueue`. Requests
of the peer go to the function that :mod:`ike.engine.responders` names for their type.
"""

import logging
from collections.abc import Sequence
from typing import Optional

from ike.address import Endpoint, Path
from ike.config.model import Connection
from ike.config.proposals import Suite
from ike.engine import roaming
from ike.engine.channel import Channel
from ike.engine.context import Arrival, EngineContext
from ike.engine.events import IkeSaClosed, IkeSaEstablished, IkeSaRekeyed
from ike.engine.exchange import Exchange
from ike.engine.exchange_queue import ExchangeQueue
from ike.engine.followup_ke import Pending
from ike.engine.informational import DeleteIkeSa
from ike.engine.lifetime import Lifetime
from ike.engine.peer import Peer
from ike.engine.reauthentication import Reauthentication
from ike.engine.responders import RESPONDERS
from ike.engine.states import ANSWERED, IKE_SA, State, Trigger, advance
from ike.errors import MalformedMessage, PeerError, TrustedRefusal, Unauthenticated
from ike.message.notify import Notify
from ike.message.numbers import ExchangeType, NotifyType, name
from ike.message.payload import Payload
from ike.tkm_client import IkeKeys, KeyExchange, KeyInputs

log = logging.getLogger("ike")


class IkeSa:
    """An IKE SA.

    :ivar id: its number in this process.
    :ivar peer: whom it is with; shared with the IKE SAs that it follows and that follow it.
    :ivar transforms: what both sides have agreed on, one of each type; empty until then.
    :ivar additional: methods of the key exchanges that are still to be done before IKE_AUTH.
    :ivar mixing: the key exchange of the request that is being answered: mixed into the keys once
        the response is sent, which the old ones protect.
    :ivar pending: what the peer has begun in CREATE_CHILD_SA, and goes on with in IKE_FOLLOWUP_KE.
    :ivar hash_algorithms: those that the peer has announced (RFC 7427).
    :ivar lifetime: when it is renewed, and over.
    :ivar reauthentication: what it owes to the one that it was begun in place of.
    :ivar successor: the one that has taken its place.
    :ivar rival: the peer has rekeyed it, too, while our own request to do so was out: what came of
        that, and the lower of the two nonces.
    :ivar deleted_early: the peer's SPIs of Child SAs that it deletes before we know that they
        exist, because its response to our own request is still on its way.
    :ivar ending: set while a request is answered: what to close with once the answer is sent.
    """

    def __init__(
        self,
        context: EngineContext,
        local: Endpoint,
        remote: Endpoint,
        peer: Peer,
        *,
        initiator: bool,
        spi: bytes = b"",
    ) -> None:
        self.context = context
        self.id = context.number("IKE SA")
        spi = spi or context.new_ike_spi()
        self.channel = Channel(context, Path(local, remote), spi, initiator=initiator)
        self.peer = peer
        self.state = State.NEW
        self.created_at = self.established_at = self.last_heard = context.now
        self.transforms: Suite = ()
        self.additional: tuple[int, ...] = ()
        self.pending_key_exchange: KeyExchange | None = None
        self.pending: Pending | None = None
        self.hash_algorithms: tuple[int, ...] = ()
        self.queue = ExchangeQueue(self)
        self.deadline: float | None = None
        self.lifetime = Lifetime()
        self.reauthentication: Reauthentication | None = None
        self.successor: Optional[IkeSa] = None  # noqa: UP045
        self.collision: Optional[tuple[IkeSa, bytes]] = None  # noqa: UP045
        self.deleted_early: set[bytes] = set()
        self.close_reason: str | None = None
        context.sas[self.channel.spi_local] = self
        peer.join(self)

    # What others want to know

    @property
    def connection(self) -> Connection:
        """The connection, once it is known."""
        if self.peer.connection is None:
            raise LookupError(f"IKE SA {self.id} does not know its peer yet")
        return self.peer.connection

    def candidates(self) -> list[Connection]:
        """Its connection; as long as that is not known, those between its two addresses."""
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
        """Its keys, from IKE_SA_INIT to its end."""
        if self.channel.keys is None:
            raise LookupError(f"IKE SA {self.id} has no keys")
        return self.channel.keys

    @property
    def name(self) -> str:
        """For log lines, as ``conn1[3]``."""
        connection = self.peer.connection
        return f"{connection.name if connection else '(unnamed)'}[{self.id}]"

    def advance(self, trigger: Trigger) -> None:
        """Move on in the table of states."""
        self.context.touch(self)
        self.state = advance(IKE_SA, self.state, trigger)

    def enqueue(self, exchange: Exchange) -> None:
        """Do an exchange as soon as those before it are done."""
        self.queue.put(exchange)
        self.queue.start_next()

    def go_on(self) -> None:
        """A message is dealt with: begin what waits, here and on what has taken its place."""
        self.queue.start_next()
        if self.successor:
            self.successor.queue.start_next()

    # Requests of the peer

    def receive(self, arrival: Arrival) -> None:
        """A datagram has arrived that names this IKE SA."""
        self.context.touch(self)
        if arrival.header.response:
            self.queue.receive(arrival)
        elif not self.channel.respond_again(arrival):
            self._request(arrival)

    def heard(self, path: Path) -> None:
        """A message has come that is the peer's, and a new one."""
        self.last_heard = self.context.now
        roaming.follow(self, path)

    def _request(self, arrival: Arrival) -> None:
        header = arrival.header
        expected = header.message_id == self.channel.responses.expected
        if not expected or header.exchange not in ANSWERED.get(self.state, ()):
            exchange = name(ExchangeType, header.exchange)
            log.info("%s: %s request %d dropped", self.name, exchange, header.message_id)
            return
        try:
            message = self.channel.open(arrival)
            if message is None:
                return
            self.heard(arrival.path)
            payloads = RESPONDERS[header.exchange](self, message)
        except Unauthenticated as error:
            log.info("%s: request %d dropped: %s", self.name, header.message_id, error)
            return
        except PeerError as error:
            payloads = self._refuse(error)
        self._respond(arrival, payloads)
        if self.close_reason is not None:
            self.close(self.close_reason, wanted=self.state is not State.HALF_OPEN)
        self.go_on()

    def _respond(self, arrival: Arrival, payloads: Sequence[Payload]) -> None:
        """Send the response; an IKE SA for which the TKM protects none is of no use any more."""
        try:
            self.channel.respond(arrival, payloads)
        except TrustedRefusal as error:
            self.close_reason = f"there is no response: {error}"
            if self.pending_key_exchange:
                self.pending_key_exchange.free()
                self.pending_key_exchange = None
            return
        self._mix()

    def _mix(self) -> None:
        exchange, self.pending_key_exchange = self.pending_key_exchange, None
        if exchange is None:
            return
        try:
            self.keys.update(exchange)
        except TrustedRefusal as error:
            exchange.free()
            self.close_reason = str(error)

    def expect(self, pending: Pending | None) -> None:
        """The peer is to go on with something, in place of what it has not gone on with."""
        self.context.touch(self)
        if self.pending:
            self.pending.key_state.free()
        self.pending = pending

    def _refuse(self, error: PeerError) -> Sequence[Payload]:
        """The answer to a request that is no good; whether the IKE SA survives it, see 2.21.3."""
        log.info("%s: %s, sending %s", self.name, error, name(NotifyType, error.notify))
        if self.state is State.HALF_OPEN or isinstance(error, MalformedMessage):
            self.close_reason = str(error)
        return (Notify(error.notify, error.data),)

    # Its life

    def established(self) -> None:
        """Both sides are authenticated, or it takes the place of one where they are."""
        context, connection = self.context, self.connection
        self.established_at = context.now
        self.deadline = None
        self.channel.init_local = self.channel.init_remote = b""
        self.lifetime.begin(context, connection, None)
        local, remote = self.channel.local, self.channel.remote
        log.info(
            "IKE_SA %s established between %s[%s]...%s[%s]",
            self.name,
            local.host,
            connection.local_id,
            remote.host,
            connection.remote_id,
        )
        context.tell(
            IkeSaEstablished(
                self.id,
                connection.name,
                self.channel.initiator,
                local,
                remote,
                connection.remote_id,
            )
        )

    def succeed(self, key_inputs: KeyInputs, transforms: Suite) -> "IkeSa":
        """An IKE SA that may take the place of this one, with the same peer (2.18).

        :param transforms: what both sides have agreed on.
        :raises TrustedRefusal: the TKM does not give it keys.
        """
        keys = self.keys.successor(key_inputs)
        successor = IkeSa(
            self.context,
            self.channel.local,
            self.channel.remote,
            self.peer,
            initiator=key_inputs.initiator,
            spi=key_inputs.spi_local,
        )
        successor.channel.spi_remote = key_inputs.spi_remote
        successor.channel.keys = keys
        successor.channel.route = self.channel.route
        successor.channel.fragment_limit = self.channel.fragment_limit
        successor.transforms = transforms
        successor.advance(Trigger.SUCCEED)
        successor.established_at = self.established_at
        successor.lifetime.begin(self.context, self.connection, self.lifetime)
        return successor

    def replaced_by(self, successor: "IkeSa") -> None:
        """Another takes its place: what waits is done there, once the peer knows of it."""
        if self.state is not State.ESTABLISHED:
            return
        self.advance(Trigger.REPLACED)
        self.successor = successor
        self.lifetime.end()
        self.deadline = self.context.now + self.context.settings.linger
        log.info("IKE_SA %s rekeyed, new one is %s", self.name, successor.name)
        self.context.tell(IkeSaRekeyed(self.id, successor.id))
        for exchange in self.queue.take_waiting():
            successor.queue.put(exchange)

    def leave_work_to(self, other: "IkeSa") -> None:
        """Another IKE SA with the same peer is kept: it creates what was to be created here."""
        for exchange in self.queue.take_waiting():
            another = exchange.again() if exchange.creates else None
            if another:
                exchange.abandon()
                other.queue.put(another)
            else:
                exchange.drop(self, f"{other.name} has its place")

    def living_collision(self) -> "tuple[IkeSa, bytes] | None":
        """What has become of :attr:`rival`, unless the peer has deleted it again.

        The peer may have rekeyed that one in turn, before it is settled here which one stays.
        """
        if self.collision is None:
            return None
        collision, lowest_nonce = self.collision
        while collision.successor:
            collision = collision.successor
        return (collision, lowest_nonce) if collision.state is State.ESTABLISHED else None

    def is_redundant(self) -> None:
        """The peer will delete it; if it does not, because it never heard of it, we do."""
        self.deadline = self.context.now + self.context.settings.linger

    def delete(self, reason: str, *, for_good: bool = False) -> None:
        """Tell the peer that it is over, then close.

        :param for_good: what the peer puts in its place meanwhile is deleted, too.
        """
        if self.state in (State.CONNECTING, State.HALF_OPEN):
            self.close(reason, wanted=True)
        elif self.state not in (State.DELETING, State.GONE):
            self.queue.drop_waiting(reason)
            self.enqueue(DeleteIkeSa(reason, for_good=for_good))

    def close(self, reason: str, *, wanted: bool) -> None:
        """It is over, now: everything it has taken goes back."""
        if self.state is State.GONE:
            return
        self.advance(Trigger.CLOSE)
        self._hand_over(reason)
        self.expect(None)
        self.lifetime.end()
        self.deadline = self.context.now + self.context.settings.linger
        self.peer.leave(self, reason)
        self.channel.free()
        log.info("IKE_SA %s closed: %s", self.name, reason)
        if self.reauthentication:
            self.reauthentication.failed(reason)
            self.reauthentication = None
        connection = self.peer.connection
        self.context.tell(
            IkeSaClosed(self.id, connection.name if connection else "", reason, wanted)
        )

    def _hand_over(self, reason: str) -> None:
        """Nothing can be exchanged any more here; what was to be done is done by the heir."""
        heir = self.peer.heir(self)
        for exchange in self.queue.take_all():
            another = exchange.again() if heir else None
            if heir and another:
                exchange.abandon()
                heir.queue.put(another)
            else:
                exchange.drop(self, reason)
        if heir:
            heir.queue.start_next()
