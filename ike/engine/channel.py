# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages of one IKE SA: their headers, their protection, their ids and repetition."""

import logging
from collections.abc import Sequence

from ike.address import Endpoint, Path
from ike.engine import protection
from ike.engine.context import Arrival, EngineContext
from ike.engine.fragmentation import Reassembly, Whole
from ike.engine.route import Route
from ike.engine.window import Datagrams, Requests, Responses
from ike.errors import LocalError
from ike.message.chain import decode_chain, encode_chain
from ike.message.errors import PeerError, TrustedRefusal, Unauthenticated
from ike.message.header import NO_SPI, Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payloads import Encrypted, EncryptedFragment, Payload
from ike.tkm_client import IkeKeys

log = logging.getLogger("ike")


class Channel:
    """Builds and reads the messages of an IKE SA, and keeps its window.

    Attributes:
        route: Where its messages go.
        initiator: We are the original initiator of the IKE SA.
        spi_local: Our SPI; ``spi_remote``: the peer's, zero until it is known.
        keys: From IKE_SA_INIT on.
        init_local: Our IKE_SA_INIT message, and ``init_remote`` the peer's: AUTH covers them.
        fragment_limit: Octets of a datagram, above which messages are split; ``None``: fragments
            were not negotiated.
    """

    def __init__(self, context: EngineContext, path: Path, spi: bytes, *, initiator: bool) -> None:
        self._context = context
        self.route = Route(path)
        self.initiator = initiator
        self.spi_local = spi
        self.spi_remote = NO_SPI
        self.keys: IkeKeys | None = None
        self.init_local = self.init_remote = b""
        self.fragment_limit: int | None = None
        self._fragments = {response: Reassembly() for response in (False, True)}
        self.requests = Requests(context.settings.retransmission)
        self.responses = Responses()

    @property
    def local(self) -> Endpoint:
        """Our end."""
        return self.route.path.local

    @property
    def remote(self) -> Endpoint:
        """The peer's end."""
        return self.route.path.remote

    @property
    def spis(self) -> tuple[bytes, bytes]:
        """The SPIs of the original initiator and of its responder."""
        pair = self.spi_local, self.spi_remote
        return pair if self.initiator else pair[::-1]

    def set_remote_spi(self, spi: bytes) -> None:
        """Note the SPI that the peer has chosen."""
        self.spi_remote = spi

    def use_keys(self, keys: IkeKeys) -> None:
        """Protect messages with these keys."""
        self.keys = keys

    def allow_fragments(self, limit: int) -> None:
        """Split messages into datagrams of at most ``limit`` octets, and accept fragments."""
        self.fragment_limit = limit

    def received_init(self, octets: bytes) -> None:
        """Note the peer's IKE_SA_INIT request, which AUTH covers."""
        self.init_remote = octets

    def forget_init(self) -> None:
        """Forget both IKE_SA_INIT messages: AUTH has covered them."""
        self.init_local = self.init_remote = b""

    def inherit(self, other: "Channel") -> None:
        """Continue on the route of the channel that this one succeeds, with the same fragments."""
        self.route = other.route
        self.fragment_limit = other.fragment_limit

    def _header(self, kind: int, message_id: int, *, response: bool) -> Header:
        return Header(*self.spis, kind, self.initiator, response, message_id)

    def _encode(self, message: Message) -> Datagrams:
        log.info("generating %s", message)
        if message.header.exchange == ExchangeType.IKE_SA_INIT:
            self.init_local = message.encode()
            return (self.init_local,)
        if self.keys is None:
            raise LocalError(f"no keys to protect {message}")
        limit = self.fragment_limit
        datagrams = protection.seal(self.keys, message.header, message.payloads, limit)
        if len(datagrams) > 1:
            log.info("splitting IKE message into %d fragments", len(datagrams))
        if message.header.exchange == ExchangeType.IKE_INTERMEDIATE:
            self._cover(self.keys, datagrams[0], encode_chain(message.payloads)[1], received=False)
        return datagrams

    def _cover(self, keys: IkeKeys, datagram: bytes, chain: bytes, *, received: bool) -> None:
        """Let AUTH cover an IKE_INTERMEDIATE message.

        Args:
            datagram: The message, or its first fragment.
        """
        sealed = self._container(Header.decode(datagram)[1], datagram)
        keys.cover(protection.covered(datagram, sealed, chain), received=received)

    def request(self, kind: int, payloads: Sequence[Payload]) -> Datagrams:
        """Send a request; while another is out, in its place and with its id."""
        header = self._header(kind, self.requests.next_id, response=False)
        datagrams = self._encode(Message(header, tuple(payloads)))
        self.requests.send(datagrams, self._context.now)
        self._send(datagrams, self.route.path)
        return datagrams

    def respond(self, to: Arrival, payloads: Sequence[Payload]) -> Datagrams:
        """Answer a request, or one whose last fragment this was, to where it has come from."""
        header = self._header(to.header.exchange, to.header.message_id, response=True)
        response = self._encode(Message(header, tuple(payloads)))
        self.responses.answer((self._fragments[False].leader or to.octets,), response)
        self._send(response, to.path)
        return response

    def respond_again(self, to: Arrival) -> bool:
        """The last request has come once more: so does the response. Or it is another one."""
        message_id = to.header.message_id
        response = self.responses.repeated(message_id, to.octets)
        if not response and self._is_split_again(to):
            response = self.responses.last(message_id)
        self._send(response, to.path)
        return bool(response)

    def _is_split_again(self, arrival: Arrival) -> bool:
        """The first fragment of the last request, which was split otherwise before (RFC 7383, 2.6).

        Its octets are new to us, so the TKM has to verify them.
        """
        is_fragment = arrival.first == EncryptedFragment.type and self.fragment_limit is not None
        if not is_fragment or not self.responses.last(arrival.header.message_id):
            return False
        try:
            fragment = self._container(arrival.first, arrival.octets)
            if isinstance(fragment, Encrypted) or fragment.number > 1:
                return False
            self._opened(fragment, arrival.octets)
        except PeerError:
            return False
        return True

    def repeat(self) -> bool:
        """Send the request that is out again; false if the peer is given up."""
        datagrams = self.requests.repeat(self._context.now)
        if datagrams:
            log.info("retransmit of request with message ID %d", self.requests.next_id)
        self._send(datagrams, self.route.path)
        return bool(datagrams)

    def _send(self, datagrams: Datagrams, path: Path) -> None:
        for octets in datagrams:
            log.info("sending packet: from %s to %s (%d bytes)", *path, len(octets))
        # Until AUTH has covered the peer's first message its address may be forged.
        proven = self.initiator or not self.init_remote
        self._context.send(path, datagrams, proven=proven)
        # What was sent along another path keeps no mapping of our NAT.
        if datagrams and path == self.route.path:
            self.route.sent(self._context.now)

    def keep_alive(self) -> None:
        """Send a keepalive to our NAT."""
        log.info("sending keep alive to %s", self.remote)
        self._context.keep_alive(self.route.path)
        self.route.sent(self._context.now)

    def open(self, arrival: Arrival) -> Message | None:
        """The message in a datagram; ``None`` if there are fragments of it still to come.

        Raises:
            Unauthenticated: It is not the peer's: nothing may come of it.
            PeerError: It is the peer's, but breaks the format.
        """
        header, first, datagram, _ = arrival
        if header.exchange == ExchangeType.IKE_SA_INIT:
            payloads = _decode(first, datagram)
            self.init_remote = datagram
            return self._read(Message(header, payloads))
        whole = self._whole(header, first, datagram)
        if whole is None:
            return None
        if header.exchange == ExchangeType.IKE_INTERMEDIATE and self.keys:
            datagram = self._fragments[header.response].leader or datagram
            self._cover(self.keys, datagram, whole.chain, received=True)
        return self._read(protection.inside(header, *whole))

    def _whole(self, header: Header, first: int, datagram: bytes) -> Whole | None:
        """What the message of a datagram has inside, if all of it is there."""
        sealed = self._container(first, datagram)
        fragments = self._fragments[header.response]
        if isinstance(sealed, Encrypted):
            whole = Whole(sealed.first, self._opened(sealed, datagram))
            fragments.clear()
            return whole
        if self.fragment_limit is None or not fragments.wants(header.message_id, sealed):
            raise Unauthenticated(f"{sealed.summary()} is not wanted")
        plain = self._opened(sealed, datagram)
        return fragments.add(header.message_id, sealed, plain, datagram)

    @staticmethod
    def _container(first: int, datagram: bytes) -> protection.Container:
        """What is encrypted in a datagram.

        Raises:
            Unauthenticated: Nothing is.
        """
        payloads = _decode(first, datagram)
        sealed = payloads[-1] if payloads else None
        if not isinstance(sealed, protection.Container):
            raise Unauthenticated("the message is not encrypted")
        return sealed

    def _opened(self, sealed: protection.Container, datagram: bytes) -> bytes:
        """What is inside.

        Raises:
            Unauthenticated: It is not the peer's.
            MalformedMessage: It is, but not as it should be.
        """
        if self.keys is None:
            raise Unauthenticated("there are no keys")
        try:
            return protection.open_sealed(self.keys, sealed, datagram)
        except TrustedRefusal as error:
            raise Unauthenticated(str(error)) from error

    def _read(self, message: Message) -> Message:
        log.info("parsed %s", message)
        return message

    def free(self) -> None:
        """Give the keys back; responses that were sent can still be repeated."""
        self.requests.stop()
        if self.keys:
            self.keys.free()
            self.keys = None


def _decode(first: int, datagram: bytes) -> tuple[Payload, ...]:
    """Return the payloads of a datagram that is not authenticated yet."""
    try:
        return decode_chain(first, datagram[Header.LENGTH :])
    except PeerError as error:
        raise Unauthenticated(str(error)) from error
