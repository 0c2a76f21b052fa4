# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages of one IKE SA: their headers, their protection, their ids and repetition."""

import logging
from collections.abc import Sequence

from ike.address import Endpoint
from ike.errors import PeerError, TrustedRefusal, Unauthenticated
from ike.message.chain import decode_chain
from ike.message.encrypted import Encrypted
from ike.message.header import NO_SPI, Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payload import Payload
from ike.sa import protection
from ike.sa.host import Host
from ike.sa.window import Datagrams, Requests, Responses
from ike.trusted import IkeKeys

log = logging.getLogger("ike")


class Channel:
    """Builds and reads the messages of an IKE SA, and keeps its window.

    :ivar initiator: we are the original initiator of the IKE SA.
    :ivar spi_local: our SPI; ``spi_remote``: the peer's, zero until it is known.
    :ivar keys: from IKE_SA_INIT on.
    :ivar init_local: our IKE_SA_INIT message, and ``init_remote`` the peer's: AUTH covers them.
    """

    def __init__(
        self, host: Host, local: Endpoint, remote: Endpoint, spi: bytes, *, initiator: bool
    ) -> None:
        self._host = host
        self.local = local
        self.remote = remote
        self.initiator = initiator
        self.spi_local = spi
        self.spi_remote = NO_SPI
        self.keys: IkeKeys | None = None
        self.init_local = self.init_remote = b""
        self.requests = Requests(host.settings.retransmission)
        self.responses = Responses()

    @property
    def spis(self) -> tuple[bytes, bytes]:
        """The SPIs of the original initiator and of its responder."""
        pair = self.spi_local, self.spi_remote
        return pair if self.initiator else pair[::-1]

    def _header(self, kind: int, message_id: int, *, response: bool) -> Header:
        return Header(*self.spis, kind, self.initiator, response, message_id)

    def _encode(self, message: Message) -> Datagrams:
        log.info("generating %s", message)
        if message.header.exchange == ExchangeType.IKE_SA_INIT:
            self.init_local = message.encode()
            return (self.init_local,)
        if self.keys is None:
            raise LookupError(f"no keys to protect {message}")
        return (protection.seal(self.keys, message.header, message.payloads),)

    def request(self, kind: int, payloads: Sequence[Payload]) -> Datagrams:
        """Send a request; while another is out, in its place and with its id."""
        header = self._header(kind, self.requests.next_id, response=False)
        datagrams = self._encode(Message(header, tuple(payloads)))
        self.requests.send(datagrams, self._host.now)
        self._send(datagrams)
        return datagrams

    def respond(self, to: Header, datagram: bytes, payloads: Sequence[Payload]) -> Datagrams:
        """Answer a request, which came as ``datagram``."""
        header = self._header(to.exchange, to.message_id, response=True)
        response = self._encode(Message(header, tuple(payloads)))
        self.responses.answer((datagram,), response)
        self._send(response)
        return response

    def respond_again(self, header: Header, datagram: bytes) -> bool:
        """The last request has come once more: so does the response. Or it is another one."""
        response = self.responses.repeated(header.message_id, datagram)
        self._send(response)
        return bool(response)

    def repeat(self) -> bool:
        """Send the request that is out again; false if the peer is given up."""
        datagrams = self.requests.repeat(self._host.now)
        if datagrams:
            log.info("retransmit of request with message ID %d", self.requests.next_id)
        self._send(datagrams)
        return bool(datagrams)

    def _send(self, datagrams: Datagrams) -> None:
        for octets in datagrams:
            log.info(
                "sending packet: from %s to %s (%d bytes)", self.local, self.remote, len(octets)
            )
        self._host.send(self.local, self.remote, datagrams)

    def open(self, header: Header, first: int, datagram: bytes) -> Message:
        """The message in a datagram.

        :param first: type of its first payload.
        :raises Unauthenticated: it is not the peer's: nothing may come of it.
        :raises PeerError: it is the peer's, but breaks the format.
        """
        try:
            payloads = decode_chain(first, datagram[Header.LENGTH :])
        except PeerError as error:
            raise Unauthenticated(str(error)) from error
        if header.exchange == ExchangeType.IKE_SA_INIT:
            self.init_remote = datagram
            return self._read(Message(header, payloads))
        sealed = payloads[-1] if payloads else None
        if not isinstance(sealed, Encrypted) or self.keys is None:
            raise Unauthenticated("the message is not encrypted")
        try:
            chain = protection.open_sealed(self.keys, sealed, datagram)
        except TrustedRefusal as error:
            raise Unauthenticated(str(error)) from error
        return self._read(protection.inside(header, sealed, chain))

    def _read(self, message: Message) -> Message:
        log.info("parsed %s", message)
        return message

    def free(self) -> None:
        """Give the keys back; responses that were sent can still be repeated."""
        self.requests.deadline = None
        if self.keys:
            self.keys.free()
            self.keys = None
